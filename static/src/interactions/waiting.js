import {rpc, rpcBus} from "@web/core/network/rpc";
import {registry} from "@web/core/registry";
import {patch} from "@web/core/utils/patch";
import {Interaction} from "@web/public/interaction";

import {PaymentPostProcessing} from "@payment/interactions/post_processing";

const SELECTOR = 'div[name="o_btcpay_waiting"]';
// Milliseconds after which the page asks again, however long it has been open.
const INTERVAL = 4000;

patch(PaymentPostProcessing.prototype, {
    /**
     * Ask often while the customer looks.
     *
     * @override method from @payment/interactions/post_processing
     */
    updateTimeout() {
        super.updateTimeout();
        if (document.querySelector(SELECTOR) && !document.hidden) {
            this.timeout = Math.min(this.timeout, INTERVAL);
        }
    },
});

/**
 * Shows the customer who waits on the status page what has come in meanwhile: the page asks for the
 * state again and again, but only leaves when the payment is over.
 */
export class BTCPayWaiting extends Interaction {
    static selector = SELECTOR;

    start() {
        this.addListener(rpcBus, "RPC:RESPONSE", this.onResponse);
        this.addListener(document, "visibilitychange", this.onVisibilityChange);
    }

    onResponse({detail}) {
        const progress = detail.result?.btcpay_progress;
        if (progress && progress !== this.el.dataset.progress) {
            window.location.reload();
        }
    }

    /**
     * Ask at once when the customer comes back to the page, e.g. from their wallet.
     */
    async onVisibilityChange() {
        if (document.hidden) {
            return;
        }
        const values = await this.waitFor(rpc("/payment/status/poll").catch(() => ({})));
        if (PaymentPostProcessing.getFinalStates(values.provider_code).has(values.state)) {
            window.location = values.landing_route;
        }
    }
}

registry.category("public.interactions").add("payment_btcpay.waiting", BTCPayWaiting);

/**
 * Counts the minutes for which a payment has been waiting for its confirmation.
 */
export class BTCPayMinutes extends Interaction {
    static selector = 'span[name="o_btcpay_minutes"]';

    start() {
        this.update();
    }

    update() {
        const seconds = Number(this.el.dataset.seconds) + performance.now() / 1000;
        this.el.textContent = Math.floor(seconds / 60);
        this.waitForTimeout(this.update, 15000);
    }
}

registry.category("public.interactions").add("payment_btcpay.minutes", BTCPayMinutes);
