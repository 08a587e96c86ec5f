document.getElementById('postform').submit();
