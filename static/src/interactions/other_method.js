import { ConfirmationDialog } from '@web/core/confirmation_dialog/confirmation_dialog';
import { _t } from '@web/core/l10n/translation';
import { patch } from '@web/core/utils/patch';
import { PaymentForm } from '@payment/interactions/payment_form';

/**
 * Offers the customer another payment method in the same step, where the server makes no invoice by
 * the one that was chosen, e.g. because its Lightning node does not answer.
 */
patch(PaymentForm.prototype, {
    _processRedirectFlow(providerCode, paymentOptionId, paymentMethodCode, processingValues) {
        const radio = this.el.querySelector(
            'input[data-payment-option-type="payment_method"]' +
                `[data-payment-option-id="${processingValues.btcpay_other_method_id}"]`
        );
        if (!radio) {
            return super._processRedirectFlow(...arguments);
        }
        this._enableButton();
        this.services.dialog.add(ConfirmationDialog, {
            title: _t("Please pay in another way"),
            body: processingValues.state_message,
            confirmLabel: _t("Pay with %s", processingValues.btcpay_other_method_name),
            confirm: () => this._btcpayPayWith(radio),
            cancel: () => {},
        });
    },

    async _btcpayPayWith(radio) {
        radio.checked = true;
        await this.selectPaymentOption({ target: radio });
        await this.submitForm(new Event('submit'));
    },
});
