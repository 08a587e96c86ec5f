import { rpcBus } from '@web/core/network/rpc';
import { registry } from '@web/core/registry';
import { Interaction } from '@web/public/interaction';

/**
 * Shows the customer who waits on the status page what has come in meanwhile: the page asks for the
 * state again and again, but only leaves when the payment is over.
 */
export class BTCPayWaiting extends Interaction {
    static selector = 'div[name="o_btcpay_waiting"]';

    start() {
        this.addListener(rpcBus, 'RPC:RESPONSE', this.onResponse);
    }

    onResponse({ detail }) {
        const progress = detail.result?.btcpay_progress;
        if (progress && progress !== this.el.dataset.progress) {
            window.location.reload();
        }
    }
}

registry.category('public.interactions').add('payment_btcpay.waiting', BTCPayWaiting);
