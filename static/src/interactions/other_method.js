import {onMounted} from "@odoo/owl";
import {ConfirmationDialog} from "@web/core/confirmation_dialog/confirmation_dialog";
import {_t} from "@web/core/l10n/translation";
import {patch} from "@web/core/utils/patch";
import {PaymentForm} from "@payment/interactions/payment_form";

/**
 * Can be used by people who cannot see it, or have a keyboard only.
 */
class OtherMethodDialog extends ConfirmationDialog {
    setup() {
        super.setup();
        onMounted(() => {
            const {el} = this.modalRef;
            el.setAttribute("aria-label", this.props.title);
            el.setAttribute("aria-modal", "true");
            // On a document's page it lies over Bootstrap's dialog, which takes each focus back.
            el.addEventListener("focusin", (ev) => ev.stopPropagation());
            el.querySelector(".modal-footer button").focus();
        });
    }
}

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
        this._btcpayFocusButton(); // Where the dialog leads back to.
        this.services.dialog.add(OtherMethodDialog, {
            title: _t("Please pay in another way"),
            body: processingValues.state_message,
            confirmLabel: _t("Pay with %s", processingValues.btcpay_other_method_name),
            confirm: () => this._btcpayPayWith(radio),
            cancel: () => {},
        });
    },

    async _btcpayPayWith(radio) {
        radio.checked = true;
        await this.selectPaymentOption({target: radio});
        await this.submitForm(new Event("submit"));
    },
});
