/* The checkout page: follows the invoice, and tells the shop when it shows the page in a frame. */
(() => {
    "use strict";
    const page = document.getElementById("Checkout");
    const content = document.getElementById("content");
    const panel = document.getElementById("panel");
    const message = document.getElementById("panel-message");
    const {invoice, root, autoPay, autoClose} = page.dataset;
    const modal = page.dataset.modal === "yes";
    const base = `${root}/i/${encodeURIComponent(invoice)}`;
    const url = new URL(`${base}/status`, location.href);
    if (modal) {
        url.searchParams.set("view", "modal");
    }
    const shown = {content: null, panel: null};
    let {status} = page.dataset;
    let method = content.querySelector("[role=tab][aria-selected=true]")?.dataset.method;
    let end = Date.now() + Number(page.dataset.remaining) * 1000;

    const tell = (data) => {
        if (modal) {
            window.parent.postMessage(data, "*");
        }
    };

    const select = (wanted) => {
        method = wanted;
        for (const tab of content.querySelectorAll("[role=tab]")) {
            tab.setAttribute("aria-selected", String(tab.dataset.method === wanted));
        }
        for (const section of content.querySelectorAll("section.method")) {
            section.hidden = section.dataset.method !== wanted;
        }
    };

    const tick = () => {
        const timer = document.getElementById("Timer");
        if (!timer) {
            return;
        }
        const left = Math.max(0, Math.round((end - Date.now()) / 1000));
        const pad = (number) => String(number).padStart(2, "0");
        timer.hidden = left > Number(page.dataset.timer);
        timer.querySelector("span").textContent = `${pad(Math.floor(left / 60))}:${pad(left % 60)}`;
    };

    const replaceWith = (place, name, html) => {
        if (shown[name] === html) {
            return;
        }
        // what the customer opened, ticked or stands on stays so
        const open = place.querySelector("details")?.open;
        const ticked = place.querySelector("#demo-replaceable")?.checked;
        const focused = place.contains(document.activeElement) && document.activeElement.id;
        place.innerHTML = html;
        shown[name] = html;
        if (open) {
            place.querySelector("details")?.setAttribute("open", "");
        }
        if (ticked !== undefined && place.querySelector("#demo-replaceable")) {
            place.querySelector("#demo-replaceable").checked = ticked;
        }
        if (focused) {
            document.getElementById(focused)?.focus();
        }
    };

    const leave = (answer) => {
        setTimeout(() => {
            window.top.location = answer.link;
        }, answer.redirectAfter * 1000);
    };

    const refresh = async () => {
        if (method) {
            url.searchParams.set("method", method);
        }
        const response = await fetch(url, {headers: {Accept: "application/json"}});
        if (!response.ok) {
            return;
        }
        const answer = await response.json();
        end = Date.now() + answer.remaining * 1000;
        replaceWith(content, "content", answer.content);
        replaceWith(panel, "panel", answer.panel);
        tick();
        if (answer.status !== status) {
            status = answer.status;
            tell({invoiceId: invoice, status});
            if (status === "Settled" && answer.redirectAutomatically && answer.link) {
                leave(answer);
            }
        }
    };

    // one after another: two answers that overtake each other would show the older state
    let queue = Promise.resolve();
    const look = () => {
        queue = queue.then(refresh).catch(() => {});
        return queue;
    };
    const follow = () => look().then(() => setTimeout(follow, 1000));

    const act = async (action) => {
        const body = new URLSearchParams({action});
        if (document.getElementById("demo-replaceable")?.checked) {
            body.set("replaceable", "on");
        }
        const response = await fetch(`${base}/demo`, {
            method: "POST",
            body,
            headers: {Accept: "application/json"},
        });
        const answer = await response.json();
        message.textContent = answer.message;
        message.className = `notice ${answer.problem ? "bad" : "good"}`;
        message.hidden = !answer.message;
        await look();
    };

    content.addEventListener("click", (event) => {
        const tab = event.target.closest("[role=tab]");
        if (tab) {
            select(tab.dataset.method);
        }
        if (event.target.closest(".close")) {
            tell("close");
        }
        const destination = event.target.closest(".destination");
        if (destination) {
            navigator.clipboard?.writeText(destination.textContent).catch(() => {});
        }
    });
    document.getElementById("close")?.addEventListener("click", () => tell("close"));
    panel.addEventListener("submit", (event) => {
        event.preventDefault();
        act(event.submitter.value);
    });

    setInterval(tick, 1000);
    tick();
    tell("loaded");
    if (autoPay) {
        act("auto").then(follow);
    } else {
        follow();
    }
    if (autoClose) {
        setTimeout(() => (modal ? tell("close") : history.back()), 1500);
    }
})();
