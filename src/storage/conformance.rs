//! What every store must do, as short stories that any store can be told.
//!
//! Compiled always, used by tests only: `tests/storage.rs` runs it on each store.

pub mod member_scene;
pub mod phone_scene;
pub mod scene;

mod accounts;
mod attachments;
mod browse;
mod changes;
mod chats;
mod codes;
mod contacts;
mod conversations;
mod drop_ending;
mod drop_letters;
mod drop_messages;
mod drop_scene;
mod drop_taking;
mod drop_upkeep;
mod dropboxes;
mod enrolments;
mod inbox;
mod introductions;
mod isolation;
mod linking;
mod members;
mod messages;
mod nodes;
mod one_time_keys;
mod phones;
mod prekeys;
mod quota;
mod sending;
mod sessions;
mod sign_ups;
mod upkeep;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::ports::Store;
use scene::Scene;

/// One thing that a store must do, told on an empty one.
type Behaviour = fn(Scene) -> BoxFuture<'static, ()>;

macro_rules! behaviours {
    ($($module:ident: $($name:ident),+;)+) => {
        &[$($((stringify!($module), stringify!($name), |scene| {
            Box::pin($module::$name(scene))
        })),+),+]
    };
}

const BEHAVIOURS: &[(&str, &str, Behaviour)] = behaviours! {
    accounts:
        an_account_is_found_by_its_names,
        names_are_unique,
        an_account_comes_with_its_first_sessions,
        a_key_on_file_leaves_nothing_of_a_new_account,
        accounts_are_listed_in_pages,
        contacts_are_made_once,
        a_setting_keeps_its_first_value;
    attachments:
        an_attachment_is_found_as_it_was_made,
        an_upload_is_noted_once,
        an_account_has_room_for_so_many_bytes,
        an_account_has_room_for_so_many_files,
        only_so_many_uploads_may_be_to_come,
        what_is_over_ends_in_small_steps_and_cannot_be_uploaded,
        attachments_on_file_are_told_from_strays;
    sign_ups:
        a_newcomer_has_an_account_and_a_session,
        the_same_sign_up_again_gives_the_same_account,
        an_invitation_is_used_as_often_as_it_says,
        an_invitation_ends,
        invitations_are_listed_in_pages_and_revoked,
        a_token_is_accepted_once_until_its_time_is_over;
    changes:
        a_profile_changes_for_everybody_at_once,
        only_contacts_and_oneself_are_told_of,
        who_changed_often_is_told_of_once;
    sessions:
        signing_in_raises_the_generation_and_joins_the_roster,
        a_session_remembers_everything,
        a_key_is_used_once_for_ever,
        an_account_has_no_more_sessions_than_its_limit,
        only_a_live_session_of_the_account_can_be_replaced,
        signing_in_again_replaces_and_leaves_a_gap,
        an_unread_gap_is_counted_in_the_next_one,
        a_replaced_session_with_nothing_waiting_leaves_no_gap,
        ending_a_session_drops_what_waited,
        a_session_ends_once_and_for_its_own_user,
        ended_sessions_are_told_from_live_and_foreign_ones,
        tokens_go_with_their_session,
        dropped_tokens_are_gone_and_those_of_others_stay;
    conversations:
        a_group_is_made_once,
        a_change_is_made_at_its_generation_only,
        every_edit_is_made,
        two_changes_at_once_are_both_made_in_the_end,
        a_code_opens_its_group_until_there_is_another,
        an_empty_group_is_remembered,
        a_mute_is_its_participants_own,
        a_message_decided_before_a_change_is_not_stored_after_it,
        notices_wait_for_live_sessions_among_the_messages,
        a_notice_is_swept_when_nobody_waits_for_it,
        a_full_inbox_makes_room_for_notices,
        notices_are_counted_for_the_next_message,
        an_unread_notice_expires_into_a_gap;
    messages:
        a_message_is_handed_out_as_it_came,
        the_same_message_is_stored_once,
        an_id_belongs_to_its_first_message,
        an_id_belongs_to_its_sender,
        a_moved_roster_stores_nothing,
        a_repeated_message_is_a_duplicate_whatever_the_roster_is,
        items_of_one_call_keep_their_order,
        each_message_is_judged_alone,
        seen_digests_come_in_the_order_of_the_ids,
        many_messages_with_many_slots_arrive_whole;
    inbox:
        messages_are_handed_out_oldest_first,
        a_lease_takes_no_more_than_its_limits,
        a_lease_hides_a_message_until_its_time_is_over,
        parallel_leases_are_disjoint,
        an_acknowledged_message_is_gone_for_its_session_only,
        only_what_was_handed_out_can_be_acknowledged,
        an_overdue_message_can_still_be_acknowledged,
        a_late_acknowledgement_far_behind_is_found,
        released_messages_are_free_at_once,
        what_never_left_cannot_be_acknowledged,
        a_late_release_leaves_the_lease_of_another_reader_alone,
        a_lease_says_whether_it_left_anything,
        expired_messages_are_not_handed_out,
        what_is_not_handed_out_hides_nothing_behind_it,
        older_messages_can_be_left_where_they_are;
    browse:
        what_waits_is_found_handed_out_or_not,
        what_waits_in_all_inboxes_is_counted_up_to_a_bound,
        an_inbox_is_looked_through_in_stretches,
        any_message_can_be_withdrawn,
        what_is_set_aside_is_found_elsewhere,
        what_waited_for_an_ended_session_is_not_found;
    phones:
        a_phone_is_registered_with_its_first_device,
        registering_again_ends_everything,
        a_code_registers_once,
        another_code_registers_nothing,
        registering_leaves_no_code_of_the_number,
        a_message_reaches_every_device_at_its_generation_only,
        a_phone_is_nobody_in_another_dialect;
    linking:
        devices_are_numbered_after_the_highest,
        there_are_no_more_devices_than_the_limit,
        a_link_needs_its_code_and_a_first_device,
        who_lost_the_number_links_nothing,
        two_links_at_once_get_two_numbers,
        an_unlinked_device_ends_alone,
        notifications_go_to_one_place,
        what_phones_change_concerns_nobody_in_other_dialects,
        a_change_of_what_is_no_more_does_nothing;
    contacts:
        a_phone_is_listed_while_it_is_active,
        contacts_come_in_the_order_of_the_question,
        what_is_here_wins_over_what_another_gateway_says,
        a_contact_is_one_gateways,
        contacts_of_a_gateway_are_forgotten_a_few_at_a_time,
        phones_are_listed_in_pages;
    prekeys:
        prekeys_are_given_out_in_order_and_then_the_last_resort,
        of_two_with_one_number_both_are_given_out,
        prekeys_take_the_place_of_the_earlier_ones,
        prekeys_of_several_devices_come_in_their_order,
        no_prekey_is_given_out_twice,
        a_signed_prekey_is_kept_until_there_is_another,
        an_ended_device_keeps_no_prekeys;
    codes:
        a_code_is_tried_so_often,
        a_code_ends_with_its_time,
        a_new_code_takes_the_place_of_the_old_one,
        tries_at_once_are_all_counted,
        the_operator_sees_what_there_is_to_hand_over,
        codes_of_a_day_are_counted_together,
        tries_of_a_day_are_counted_together,
        who_proved_a_number_begins_anew,
        the_operator_is_told_of_the_code_on_file_alone,
        old_codes_are_forgotten_a_few_at_a_time;
    nodes:
        the_first_key_of_a_gateway_stays,
        a_number_of_a_gateway_is_claimed_once,
        who_comes_to_nothing_elsewhere_is_forgotten,
        letters_leave_in_the_order_of_their_line,
        a_letter_that_was_put_off_holds_its_line_up,
        all_lines_for_a_gateway_are_put_off,
        only_so_much_waits_of_one_sender,
        letters_are_forgotten_when_their_time_is_over,
        letters_end_with_their_device,
        letters_put_at_once_have_places_of_their_own;
    members:
        a_member_is_known_by_its_name,
        a_name_is_taken_by_whoever_has_a_device_or_is_new,
        one_of_many_gets_a_name,
        whoever_never_gets_a_device_is_removed,
        members_are_listed_in_pages,
        an_owner_who_is_deleted_is_followed,
        a_deleted_member_leaves_everything,
        a_member_is_nobody_in_another_dialect;
    enrolments:
        a_device_is_enrolled_with_everything,
        a_token_enrols_once,
        what_is_refused_uses_nothing_up,
        a_first_device_needs_no_other,
        a_device_enrols_others_while_it_is_live,
        there_are_no_more_devices_of_a_member_than_the_limit,
        a_device_changes_for_everybody_at_once,
        a_message_reaches_every_device_of_a_member,
        an_ended_device_ends_alone,
        the_last_device_ends_with_its_account,
        what_another_gateway_says_is_noted,
        nobody_speaks_for_somebody_else,
        used_tokens_are_forgotten_in_time;
    one_time_keys:
        one_time_keys_are_added_behind_the_others,
        a_one_time_key_is_given_out_once,
        a_key_that_was_used_does_not_come_back,
        keys_that_were_given_out_are_forgotten_in_time;
    introductions:
        an_introduction_waits_as_it_came,
        a_list_of_introductions_has_so_many_bytes,
        who_introduced_itself_is_found_without_the_texts,
        a_repeated_introduction_is_the_same,
        introductions_are_kept_together_or_not_at_all,
        a_sender_cannot_take_the_room_of_others,
        a_one_time_key_is_used_once,
        confirming_makes_a_pair_and_a_chat,
        a_chat_gets_the_id_that_somebody_insists_on_or_none,
        introductions_end_with_their_devices_and_in_time,
        a_device_that_has_ended_introduces_itself_to_nobody,
        an_introduction_is_over_when_its_time_is;
    chats:
        two_accounts_have_one_chat,
        a_chat_shows_its_newest_message,
        receipts_say_how_far_a_message_got;
    dropboxes:
        a_drop_box_is_found_by_its_token,
        a_token_belongs_to_its_first_box,
        a_box_is_made_once_however_many_ask,
        a_deleted_box_is_over_at_once_and_leaves_nothing,
        the_next_box_is_another_one,
        all_bytes_are_counted;
    drop_messages:
        a_message_is_read_as_it_was_left,
        messages_are_numbered_as_they_come,
        messages_left_at_once_have_places_of_their_own,
        nothing_is_left_where_nothing_can_be,
        a_box_has_room_for_so_many_messages,
        a_box_has_room_for_so_many_bytes,
        what_is_over_makes_room,
        a_message_whose_file_is_gone_is_not_left,
        a_box_is_read_in_pages,
        a_message_that_is_over_is_not_read,
        a_message_is_deleted_once,
        a_message_that_gets_an_earlier_end_goes_then_with_its_file;
    drop_taking:
        what_is_read_stays_unless_it_is_taken,
        texts_are_taken_and_files_stay,
        all_is_taken_and_files_wait_for_their_readers,
        nothing_is_taken_that_is_not_handed_out,
        parallel_readers_get_each_message_once;
    drop_ending:
        a_box_that_was_read_takes_nothing_and_ends,
        a_box_is_gone_at_once_and_its_files_wait_for_their_readers,
        an_empty_box_is_not_ended,
        a_box_ends_with_its_last_page,
        a_box_is_not_gone_while_a_message_is_left_in_it,
        nothing_is_lost_between_the_last_read_and_the_end;
    drop_letters:
        a_letter_is_taken_by_its_secret_alone,
        one_of_many_gets_a_letter,
        a_letter_that_is_over_is_not_taken,
        the_file_of_a_letter_is_kept_with_it,
        a_letter_whose_file_is_gone_is_not_kept,
        letters_that_are_over_are_forgotten;
    drop_upkeep:
        a_file_is_over_unless_a_message_keeps_it,
        a_file_that_was_kept_is_not_let_go_of,
        a_file_that_is_being_removed_is_over_for_good,
        files_of_drop_boxes_are_told_from_strays,
        messages_that_are_over_are_forgotten_in_small_steps,
        a_box_that_is_over_is_emptied_before_it_goes;
    sending:
        a_relation_is_one_sided_and_the_last_word_counts,
        who_shares_a_conversation_is_found_among_others,
        a_slot_that_comes_later_stands_where_its_message_does,
        slots_are_added_for_the_roster_that_was_looked_at,
        a_slot_that_comes_later_finds_room_or_waits,
        a_top_up_ends_with_its_time,
        an_expired_message_is_kept_until_its_top_up_is_over,
        a_request_is_claimed_once_and_answered_ever_after,
        a_request_that_never_ended_is_claimed_again,
        an_account_keeps_so_many_requests_and_bytes,
        bytes_of_answers_are_kept_until_they_are_forgotten;
    isolation:
        a_suspect_message_is_handed_out_alone,
        a_run_stops_before_a_suspect_message,
        a_delivery_that_was_not_sent_raises_no_suspicion,
        a_hopeless_message_is_set_aside_and_the_rest_flows,
        a_late_acknowledgement_removes_what_is_set_aside,
        what_is_set_aside_gets_another_try,
        what_is_set_aside_can_be_dropped,
        what_is_set_aside_is_listed_in_pages,
        an_inbox_is_stuck_until_nothing_is_set_aside_in_it,
        what_is_set_aside_expires_with_a_marker_of_its_own,
        what_is_set_aside_is_missing_after_signing_in_again,
        a_marker_is_never_set_aside;
    quota:
        a_full_inbox_turns_a_message_away_whole,
        messages_of_one_call_fill_an_inbox_in_order,
        a_message_that_is_stored_is_a_duplicate_in_a_full_inbox,
        what_expires_makes_room,
        an_abandoned_inbox_loses_its_oldest_messages,
        a_session_that_was_seen_is_not_trimmed,
        a_sighting_is_noted_with_its_precision,
        one_full_device_does_not_stop_a_group,
        what_is_held_is_trimmed_last,
        unread_markers_of_what_was_trimmed_become_one,
        nothing_is_dropped_without_being_counted;
    upkeep:
        only_payloads_that_nobody_waits_for_are_swept,
        a_sweep_goes_on_where_the_last_one_stopped,
        a_swept_message_stays_a_duplicate,
        what_was_not_read_in_time_leaves_a_gap_for_each_session,
        expiry_goes_on_in_small_steps_and_leaves_one_marker,
        the_oldest_messages_go_first_whoever_they_are_for,
        a_held_message_is_left_to_its_reader,
        a_held_marker_is_left_to_its_reader,
        a_marker_does_not_expire,
        an_unread_marker_goes_into_that_of_what_expired,
        an_ended_session_is_told_nothing,
        what_waited_for_ended_sessions_is_removed_in_small_steps,
        old_message_ids_are_forgotten_a_few_at_a_time,
        the_store_answers_a_ping,
        the_store_counts_its_commits,
        a_new_store_is_sound;
};

/// Tells every story to an empty store that `make` gives.
///
/// # Panics
/// When the store does not do what a store must do.
pub async fn run_all(make: impl AsyncFn() -> Arc<dyn Store>) {
    run(|_| true, make).await;
}

/// The same with the stories of these modules alone.
///
/// # Panics
/// When the store does not do what a store must do, or no module has such a name.
pub async fn run_those(modules: &[&str], make: impl AsyncFn() -> Arc<dyn Store>) {
    for module in modules {
        assert!(BEHAVIOURS.iter().any(|(it, ..)| it == module), "{module} tells no story");
    }
    run(|module| modules.contains(&module), make).await;
}

async fn run(is_told: impl Fn(&str) -> bool, make: impl AsyncFn() -> Arc<dyn Store>) {
    for (_, name, behaviour) in BEHAVIOURS.iter().filter(|(module, ..)| is_told(module)) {
        eprintln!("conformance: {name}");
        let store = make().await;
        behaviour(Scene::new(Arc::clone(&store))).await;
        store.close().await;
    }
}
