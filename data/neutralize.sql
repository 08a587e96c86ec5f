-- disable btcpay payment provider
UPDATE payment_provider
   SET state = 'disabled',
       is_published = FALSE,
       btcpay_server_url = NULL,
       btcpay_api_key = NULL,
       btcpay_database = NULL,
       btcpay_store_id = NULL,
       btcpay_store_name = NULL,
       btcpay_store_payment_methods = NULL,
       btcpay_languages = NULL,
       btcpay_unrated_currencies = NULL,
       btcpay_store_read_at = NULL,
       btcpay_down_methods = NULL,
       btcpay_checkup = NULL,
       btcpay_checked_at = NULL,
       btcpay_webhook_id = NULL,
       btcpay_webhook_url = NULL,
       btcpay_webhook_by_hand = FALSE,
       btcpay_webhook_secret = NULL,
       btcpay_old_webhook_secret = NULL,
       btcpay_old_webhook_secret_until = NULL,
       btcpay_webhook_problem = NULL,
       btcpay_webhook_checked_at = NULL,
       btcpay_connection_state = 'disconnected',
       btcpay_connection_problem = NULL,
       btcpay_unreachable_since = NULL,
       btcpay_failed_tries = 0,
       btcpay_retry_at = NULL,
       btcpay_is_key_refused = FALSE,
       btcpay_debug = FALSE,
       btcpay_debug_until = NULL
 WHERE code = 'btcpay';

-- forget the authorizations that are under way, with the keys that came
DELETE FROM btcpay_authorization;

-- forget the keys and secrets that were typed and are not taken yet
UPDATE btcpay_connect_wizard
   SET kept_api_key = NULL,
       kept_webhook_secret = NULL;

-- forget the stores that were connected before, with their keys
DELETE FROM btcpay_earlier_store;

-- follow no payment and no refund, and do nothing more at the server; a refund's link is its money
UPDATE payment_transaction
   SET btcpay_next_sync_at = NULL,
       btcpay_pending_action = NULL,
       btcpay_refund_request = NULL,
       btcpay_refund_server_url = NULL,
       btcpay_refund_link = NULL,
       btcpay_pull_payment_id = NULL
 WHERE provider_id IN (SELECT id FROM payment_provider WHERE code = 'btcpay');

-- nor is it in a mail that did not leave
DELETE FROM mail_message
 WHERE id IN (SELECT mail_message_id FROM mail_mail WHERE btcpay_refund_id IS NOT NULL);

-- process no delivery that was kept
UPDATE btcpay_delivery
   SET state = CASE state WHEN 'pending' THEN 'ignored' ELSE state END,
       next_try_at = NULL,
       pull_payment_ref = NULL;

-- keep nothing of what was said between the live store and the live database
DELETE FROM btcpay_log_entry;
DELETE FROM btcpay_log_export;
