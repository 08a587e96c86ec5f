document.getElementById("postform").submit();
