import {Component, onWillStart, useState} from "@odoo/owl";
import {rpcBus} from "@web/core/network/rpc";
import {registry} from "@web/core/registry";
import {useBus, useService} from "@web/core/utils/hooks";

/** Of how many Bitcoin payments the user has something to decide; nothing is shown if of none. */
export class DecisionCounter extends Component {
    static template = "payment_btcpay.DecisionCounter";
    static props = {};

    setup() {
        this.action = useService("action");
        this.lazySession = useService("lazy_session");
        this.orm = useService("orm");
        this.state = useState({count: 0});
        onWillStart(() => {
            this.lazySession.getValue("btcpay_decisions", (count) => {
                this.state.count = count || 0;
            });
        });
        // Who has decided one sees one less; who has nothing to decide costs nothing.
        useBus(rpcBus, "RPC:RESPONSE", ({detail}) => {
            const {model, method} = detail.data.params || {};
            const mayHaveDecided =
                model === "mail.activity" || `${model} ${method}`.includes("btcpay");
            if (this.state.count && mayHaveDecided) {
                this.refresh();
            }
        });
    }

    async refresh() {
        this.state.count = await this.orm.silent.searchCount("payment.transaction", [
            ["btcpay_decision", "!=", false],
        ]);
    }

    open() {
        this.action.doAction("payment_btcpay.action_btcpay_decisions", {clearBreadcrumbs: true});
    }
}

registry
    .category("systray")
    .add("payment_btcpay.DecisionCounter", {Component: DecisionCounter}, {sequence: 30});
