import {registry} from "@web/core/registry";
import {RadioField, radioField} from "@web/views/fields/radio/radio_field";

/**
 * Radio buttons with a text beside each, from other fields of the record. The options name them by
 * value: `texts`, `possible` (greyed out where false) and `shown` (left out where false).
 */
export class ExplainedRadioField extends RadioField {
    static template = "payment_btcpay.ExplainedRadioField";
    static props = {
        ...RadioField.props,
        texts: {type: Object, optional: true},
        possible: {type: Object, optional: true},
        shown: {type: Object, optional: true},
    };

    get items() {
        return super.items.filter((item) => this.isTrue(this.props.shown, item));
    }

    isTrue(fields, item) {
        const name = fields?.[item[0]];
        return !name || Boolean(this.props.record.data[name]);
    }

    text(item) {
        return this.props.record.data[this.props.texts?.[item[0]]] || "";
    }
}

registry.category("fields").add("btcpay_explained_radio", {
    ...radioField,
    component: ExplainedRadioField,
    supportedTypes: ["selection"],
    extractProps: (fieldInfo, dynamicInfo) => ({
        ...radioField.extractProps(fieldInfo, dynamicInfo),
        texts: fieldInfo.options.texts,
        possible: fieldInfo.options.possible,
        shown: fieldInfo.options.shown,
    }),
});
