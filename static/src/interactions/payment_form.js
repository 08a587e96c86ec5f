import {ConnectionLostError, rpc} from "@web/core/network/rpc";
import {patch} from "@web/core/utils/patch";
import {addLoadingEffect} from "@web/core/utils/ui";

import {PaymentForm} from "@payment/interactions/payment_form";
import {showInvoice} from "@payment_btcpay/interactions/modal";

patch(PaymentForm.prototype, {
    setup() {
        super.setup();
        this.btcpayClosed = null; // The payment that was closed unpaid on this page.
        this.btcpayStopLoading = [];
    },

    start() {
        super.start();
        this.addListener(window, "pageshow", this.btcpayOnPageShow);
    },

    /**
     * Begin anew when the customer comes back from the server's page with the browser's button,
     * which shows the page as it was left: blocked.
     *
     * @param {PageTransitionEvent} ev
     * @returns {void}
     */
    btcpayOnPageShow(ev) {
        if (ev.persisted && this.btcpayStopLoading.length) {
            window.location.reload();
        }
    },

    /**
     * Show on the button that the invoice is being made.
     *
     * @override method from @payment/interactions/payment_form
     * @private
     * @param {boolean} blockUI - Whether the UI should also be blocked.
     * @returns {void}
     */
    _disableButton(blockUI = false) {
        super._disableButton(...arguments);
        const radio = this.el.querySelector('input[name="o_payment_radio"]:checked');
        if (blockUI && radio && this._getProviderCode(radio) === "btcpay") {
            this.btcpayStopLoading = [
                ...document.querySelectorAll('[name="o_payment_submit_button"]'),
            ].map(addLoadingEffect);
        }
    },

    /**
     * @override method from @payment/interactions/payment_form
     * @private
     * @returns {void}
     */
    _enableButton() {
        this.btcpayStopLoading.splice(0).forEach((stop) => stop());
        super._enableButton(...arguments);
    },

    /**
     * Go on with the payment that the customer closed, if nothing has changed since.
     *
     * @override method from @payment/interactions/payment_form
     * @private
     * @param {string} providerCode - The code of the selected payment option's provider.
     * @returns {void}
     */
    async _initiatePaymentFlow(providerCode) {
        const closed = this.btcpayClosed;
        if (providerCode === "btcpay" && closed && closed.params === this._btcpayGetParams()) {
            const values = await this.waitFor(
                rpc("/payment/btcpay/reopen", {reference: closed.reference}).catch(() => ({}))
            );
            if (values.return_url) {
                window.location = values.return_url;
                return;
            }
            if (values.btcpay_modal && (await this._btcpayShowModal(values.btcpay_modal))) {
                return;
            }
        }
        try {
            await super._initiatePaymentFlow(...arguments);
        } catch (error) {
            if (providerCode === "btcpay" && error instanceof ConnectionLostError) {
                this._enableButton(); // The page would stay blocked.
            }
            throw error;
        }
    },

    /**
     * Show the invoice over the page; where that does not work, redirect as ever.
     *
     * @override method from @payment/interactions/payment_form
     * @private
     * @param {string} providerCode - The code of the selected payment option's provider.
     * @param {number} paymentOptionId - The id of the selected payment option.
     * @param {string} paymentMethodCode - The code of the selected payment method, if any.
     * @param {object} processingValues - The processing values of the transaction.
     * @returns {void}
     */
    async _processRedirectFlow(providerCode, paymentOptionId, paymentMethodCode, processingValues) {
        const modal = processingValues.btcpay_modal;
        if (!modal || !(await this._btcpayShowModal(modal))) {
            super._processRedirectFlow(...arguments);
        }
    },

    /**
     * @private
     * @param {object} modal - What the server says of the invoice.
     * @returns {Promise<boolean>} Whether it could be shown.
     */
    async _btcpayShowModal(modal) {
        const outcome = await this.waitFor(
            showInvoice(modal.server_url, modal.invoice_id, () =>
                this.env.bus.trigger("ui", "unblock")
            )
        );
        if (outcome === "over") {
            window.location = modal.return_url;
        } else if (outcome === "closed") {
            this.btcpayClosed = {reference: modal.reference, params: this._btcpayGetParams()};
            this._enableButton(false);
            this._btcpayFocusButton();
        }
        return outcome !== "failed";
    },

    /**
     * Set the focus, which a disabled button has lost, on the one that can be seen.
     *
     * @private
     * @returns {void}
     */
    _btcpayFocusButton() {
        [...document.querySelectorAll('[name="o_payment_submit_button"]')]
            .find((button) => button.offsetParent)
            ?.focus();
    },

    /**
     * @private
     * @returns {string} All that the payment depends on.
     */
    _btcpayGetParams() {
        return JSON.stringify(this._prepareTransactionRouteParams());
    },
});
