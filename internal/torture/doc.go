// Package torture has only tests: Greenlight as real processes with faults at random, and a
// checker of what must hold all the same.
//
// # What runs
//
// The test binary runs itself as a NATS server, a webhook and two assigners, so that each can
// be killed, stopped and terminated like any process. The simulated Telnyx, the transport of
// its notifications, and the checker are in the test.
//
// # What goes wrong
//
//	Telnyx's behavior      one or two dialects of telnyxsim a world, with lags
//	answers of the API     429, 500, 502 in HTML, truncated, empty, not JSON, reset, none;
//	                       the same after the request took effect; late; complete and untrue:
//	                       a campaign that is not found, a list without its numbers
//	notifications          dropped, delayed past each other, doubled, their answers lost, none for a while
//	processes              SIGKILL, SIGTERM, SIGSTOP for longer than the pin and SIGCONT
//	clocks                 of each assigner alone: steps of minutes and of an hour, both ways
//	campaigns              rejected and appealed, suspended by TCR or T-Mobile, dormant, approved without a notification
//	numbers                elsewhere, to be moved, leaving, failed by carriers, without a profile, not ours;
//	                       detached and moved by a person, also directly before a request is handled
//	operators              hold and resume everything or one campaign, edit the plan, delete a bucket
//
// # What must hold
//
//   - In the end Telnyx and the ledger are as the plan says.
//   - No number was ever on a campaign that its plan does not name, and no number that no plan
//     names was requested.
//   - A number gets one effective request, and one more for each time that carriers failed it,
//     a person detached it or the plan moved it. What is done is not requested again, except
//     once for each loss of the bucket with the claims.
//   - A number is moved only if the same process has read its record directly before, and that
//     named a campaign under move_from.
//   - After a hold is stored no request arrives that was not in transit, and none for what the
//     plan in force does not name. Time in which a process was frozen does not count.
//   - The ledger never says that a number is not on the account, or that a campaign is missing,
//     if it is there. In the end a number needs a person only if it really does.
//   - No request was sent for a campaign that was not provisioned, except one in flight when
//     that changed, and none by a process whose latest read of the campaign said otherwise.
//   - What the webhook answered with 200 is in a stream, and was handled.
//
// # Running it
//
// A short run is part of the package's tests. With GREENLIGHT_TORTURE=5m it lasts that long, in
// a new world each time, and for at least fifty kills. GREENLIGHT_TORTURE_SEED=n repeats a
// world and its faults. What the operating system does in between is not repeated, so a seed
// makes a failure likely, not certain. GREENLIGHT_TORTURE_DIALECTS=name,name uses those
// dialects in every world.
package torture
