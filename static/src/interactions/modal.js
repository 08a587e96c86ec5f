import {loadJS} from "@web/core/assets";
import {_t} from "@web/core/l10n/translation";

// Milliseconds until the invoice is to be seen; then the customer is redirected.
const TIMEOUT = 8000;

// What the server's page says once an invoice is over: today's words, and those of older servers.
const OVER = new Set([
    "Processing",
    "Settled",
    "Expired",
    "Invalid",
    "paid",
    "confirmed",
    "complete",
    "expired",
    "invalid",
]);

/**
 * Show an invoice over the page, by the BTCPay Server's own script.
 *
 * What the server's page says decides where the browser goes, never what is paid.
 *
 * @param {string} serverUrl - The address of the server.
 * @param {string} invoiceId - The invoice.
 * @param {Function} onShown - Called once the customer sees it.
 * @returns {Promise<string>} `over`, `closed` by the customer, or `failed` if it could not be shown.
 */
export async function showInvoice(serverUrl, invoiceId, onShown) {
    const deadline = Date.now() + TIMEOUT;
    const isLoaded = await Promise.race([
        loadJS(`${serverUrl}/modal/btcpay.js`).then(
            () => !!window.btcpay?.showInvoice,
            () => false
        ),
        new Promise((resolve) => setTimeout(resolve, TIMEOUT, false)),
    ]);
    const outcome =
        isLoaded && (await openFrame(serverUrl, invoiceId, deadline - Date.now(), onShown));
    if (outcome) {
        return outcome;
    }
    const {origin} = new URL(serverUrl);
    console.warn(
        `The BTCPay Server's page could not be opened over this one. If this site has a ` +
            `Content-Security-Policy, it has to allow: script-src ${origin}; frame-src ${origin}`
    );
    return "failed";
}

/**
 * @param {string} serverUrl - The address of the server.
 * @param {string} invoiceId - The invoice.
 * @param {number} timeout - The milliseconds until the frame is to have come.
 * @param {Function} onShown - Called once the customer sees it.
 * @returns {Promise<string>} How it ended; empty if the frame did not come.
 */
function openFrame(serverUrl, invoiceId, timeout, onShown) {
    const {btcpay} = window;
    const {origin} = new URL(serverUrl);
    return new Promise((resolve) => {
        let behind = null; // What cannot be reached while the frame is shown.
        const end = (outcome) => {
            clearTimeout(timer);
            window.removeEventListener("message", onMessage);
            btcpay.onModalWillEnter(() => {});
            btcpay.onModalWillLeave(() => {});
            behind?.forEach((el) => (el.inert = false));
            resolve(outcome);
        };
        const onMessage = (ev) => {
            if (ev.origin === origin && OVER.has(ev.data?.status)) {
                end("over");
            }
        };
        const onEnter = () => {
            if (behind) {
                return; // The page in the frame was loaded again.
            }
            clearTimeout(timer);
            const frame = document.getElementsByName("btcpay")[0];
            frame.title = _t("Bitcoin payment");
            behind = [...document.body.children].filter((el) => el !== frame && !el.inert);
            behind.forEach((el) => (el.inert = true));
            onShown();
            Promise.resolve().then(() => frame.focus()); // It is made visible after this.
        };
        const timer = setTimeout(() => {
            end("");
            btcpay.hideFrame();
        }, timeout);
        window.addEventListener("message", onMessage);
        btcpay.setApiUrlPrefix(serverUrl); // The shop may have loaded another server's script.
        btcpay.onModalWillEnter(onEnter);
        btcpay.onModalWillLeave(() => end("closed"));
        btcpay.showInvoice(invoiceId);
    });
}
