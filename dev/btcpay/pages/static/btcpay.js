/* What a shop includes to show an invoice over its own page: window.btcpay. */
(() => {
    "use strict";
    if (window.btcpay) {
        console.warn("btcpay.js attempted to initialize more than once.");
        return;
    }
    const tail = /\/modal\/btcpay\.js(\?v=.*)?$/;
    // not the host alone: a server may live below a path
    let server = document.currentScript.src.replace(tail, "");
    let showing = false;
    const listeners = {enter: () => {}, leave: () => {}, message: () => {}};
    const frame = document.createElement("iframe");
    frame.name = "btcpay";
    frame.allow = "clipboard-read; clipboard-write";
    Object.assign(frame.style, {
        display: "none",
        border: "0",
        position: "fixed",
        top: "0",
        left: "0",
        height: "100%",
        width: "100%",
        zIndex: "2000",
    });

    const showFrame = () => {
        if (!document.getElementsByName("btcpay").length) {
            document.body.appendChild(frame);
        }
        listeners.enter();
        frame.style.display = "block";
        frame.removeAttribute("aria-hidden");
    };

    const hideFrame = () => {
        listeners.leave();
        frame.style.display = "none";
        frame.setAttribute("aria-hidden", "true");
        showing = false;
        document.body.removeChild(frame); // throws where there is none, as the real one does
    };

    // a method, or an object of options
    const appendInvoiceFrame = (invoiceId, params) => {
        showing = true;
        document.body.appendChild(frame);
        const method = typeof params === "string" ? params : params?.paymentMethodId;
        frame.src = method
            ? `${server}/i/${invoiceId}/${encodeURIComponent(method)}?view=modal`
            : `${server}/invoice?id=${invoiceId}&view=modal`;
    };

    const appendAndShowInvoiceFrame = (invoiceId, params) => {
        appendInvoiceFrame(invoiceId, params);
        showFrame();
    };

    window.addEventListener("message", (event) => {
        // as the real one compares them: a shop has to look for itself
        if (!server.startsWith(event.origin) || !showing) {
            return;
        }
        if (event.data === "loaded") {
            showFrame();
        } else if (event.data === "close") {
            hideFrame();
        } else if (event.data?.open?.startsWith("bitcoin:")) {
            window.location = event.data.open;
        }
        listeners.message(event);
    });

    window.btcpay = {
        showFrame,
        hideFrame,
        showInvoice: appendInvoiceFrame,
        appendInvoiceFrame,
        appendAndShowInvoiceFrame,
        onModalWillEnter: (listener) => {
            listeners.enter = listener;
        },
        onModalWillLeave: (listener) => {
            listeners.leave = listener;
        },
        setApiUrlPrefix: (address) => {
            server = address.replace(/\/+$/, "");
        },
        onModalReceiveMessage: (listener) => {
            listeners.message = listener;
        },
    };
})();
