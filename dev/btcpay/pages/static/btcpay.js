/* What a shop includes to show an invoice over its own page: window.btcpay. */
(() => {
    'use strict';
    if (window.btcpay) {
        console.warn('btcpay.js attempted to initialize more than once.');
        return;
    }
    const tail = /\/modal\/btcpay\.js(\?.*)?$/;
    // not the host alone: a server may live below a path
    let server = document.currentScript.src.replace(tail, '');
    const listeners = { enter: () => {}, leave: () => {}, message: () => {} };
    const frame = document.createElement('iframe');
    frame.name = 'btcpay';
    frame.className = 'btcpay';
    frame.allow = 'clipboard-read; clipboard-write';
    Object.assign(frame.style, {
        display: 'none', border: '0', position: 'fixed', top: '0', left: '0', height: '100%',
        width: '100%', zIndex: '2000',
    });

    const attach = () => {
        if (!frame.isConnected) {
            document.body.appendChild(frame);
        }
    };

    const showFrame = () => {
        attach();
        listeners.enter();
        frame.style.display = 'block';
    };

    const hideFrame = () => {
        listeners.leave();
        frame.style.display = 'none';
        frame.remove();
    };

    const appendInvoiceFrame = (invoiceId) => {
        attach();
        frame.src = `${server}/invoice?id=${encodeURIComponent(invoiceId)}&view=modal`;
    };

    const appendAndShowInvoiceFrame = (invoiceId) => {
        appendInvoiceFrame(invoiceId);
        showFrame();
    };

    window.addEventListener('message', (event) => {
        if (event.origin !== new URL(server).origin) {
            return;
        }
        if (event.data === 'loaded') {
            if (frame.style.display === 'none') {
                showFrame();
            }
        } else if (event.data === 'close') {
            hideFrame();
        }
        listeners.message(event);
    });

    window.btcpay = {
        showFrame,
        hideFrame,
        showInvoice: appendInvoiceFrame,
        appendInvoiceFrame,
        appendAndShowInvoiceFrame,
        onModalWillEnter: (listener) => { listeners.enter = listener; },
        onModalWillLeave: (listener) => { listeners.leave = listener; },
        setApiUrlPrefix: (address) => { server = address.replace(/\/+$/, ''); },
        onModalReceiveMessage: (listener) => { listeners.message = listener; },
    };
})();
