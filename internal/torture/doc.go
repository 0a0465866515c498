// Package torture has only tests. They run Greenlight as real processes under random
// faults, with a checker for what must hold in spite of them.
//
// # What runs
//
// The test binary starts itself again as a NATS server, a webhook and two assigners, so
// that each can be killed, frozen and terminated like any process. The simulated Telnyx,
// the network between it and the webhook, and the checker stay in the test.
//
// # Faults
//
//	Telnyx's behavior      one or two dialects of telnyxsim in each world, with lags
//	answers of the API     429, 500, 502 in HTML, truncated, empty, not JSON, reset, none;
//	                       the same after the request took effect; late; complete but
//	                       false: a campaign that is not found, a list without its numbers
//	notifications          dropped, reordered, duplicated, their answers lost, none for a while
//	processes              SIGKILL, SIGTERM, SIGSTOP for longer than the pin, SIGCONT
//	clocks                 of each assigner: steps of minutes and of an hour, both ways
//	campaigns              rejected and appealed, suspended by TCR or T-Mobile, dormant,
//	                       approved without an event
//	numbers                on another campaign, to be moved, leaving, failed by carriers,
//	                       without a profile, not owned; detached or moved by a person,
//	                       also directly before a request is processed
//	operators              hold and resume everything or one campaign, edit the plan, whose
//	                       entries prune, delete a bucket, assign and remove numbers by
//	                       commands beside the assigners, and interrupt these
//
// # What must hold
//
//   - In the end, Telnyx and the ledger agree with the plan.
//   - No number was ever on a campaign that its plan does not name, and no request was
//     sent for a number that is in no plan.
//   - A number gets one effective request, and one more each time that carriers failed
//     it, a person detached it, or the plan moved or removed it. A finished request is repeated only
//     once for each loss of the bucket with the claims.
//   - A number is moved only if the same process read its record directly before, and
//     that record named a campaign under move_from.
//   - A number is removed only from the campaign in its record as it was read directly
//     before, if the request of that campaign's own entry attached it there and no entry
//     has named it for a resync interval. In the end, all such numbers are gone.
//   - A command sends only what the person asked for. It neither removes a number that the
//     plan names there nor takes one that the plan names elsewhere.
//   - After a hold is stored, no request arrives that had not been sent already, nor one
//     that the active plan does not name. Time in which a process was frozen does not
//     count.
//   - The ledger never says that a number is not on the account, or that a campaign is
//     missing, if it is there. In the end, a number needs a person only if it truly does.
//   - No request was sent for a campaign that was not provisioned, except one that was
//     under way when that changed, and none by a process whose own latest reading of the
//     campaign said otherwise.
//   - Each delivery that the webhook answered with 200 is in a stream and was handled.
//
// # Running it
//
// A short run is part of the package's tests. GREENLIGHT_TORTURE=5m extends it to that
// time, with a new world each time, and to at least fifty kills.
// GREENLIGHT_TORTURE_SEED=n repeats a world and its faults. The operating system's
// scheduling is not repeated, so a seed makes a failure likely, not certain.
// GREENLIGHT_TORTURE_DIALECTS=name,name runs every world in those dialects.
package torture
