// Package torture has no code, only tests: Greenlight as real processes, made to
// suffer at random, and a checker that says what must hold all the same.
//
// # What runs
//
// The test binary starts itself again as a NATS server, a webhook and two
// assigners, so that each can be killed, stopped and told to end like any
// process. The simulated Telnyx, the road on which its notifications travel, and
// the checker stay in the test.
//
// # What goes wrong
//
//	Telnyx's ways          one or two dialects of telnyxsim a world, with lags
//	answers of the API     429, 500, 502 in HTML, cut in half, empty, no JSON, reset, none;
//	                       the same after the request took effect; late; whole and untrue:
//	                       a campaign that is not found, a list without its numbers
//	notifications          dropped, delayed past each other, doubled, their answers lost, none for a while
//	processes              SIGKILL, SIGTERM, SIGSTOP for longer than the pin and SIGCONT
//	clocks                 of each assigner by itself: steps of minutes and of an hour, both ways
//	campaigns              rejected and appealed, suspended by TCR or T-Mobile, dormant, approved without a word
//	numbers                elsewhere, to be moved, leaving, failed by carriers, without a profile, not ours;
//	                       taken off and taken elsewhere by hand, also directly before a request is looked at
//	operators              hold and resume everything or one campaign, edit the plan, delete a bucket
//
// # What must hold
//
//   - In the end Telnyx and the ledger are as the plan says.
//   - No number was ever on a campaign that its plan does not name, and no number
//     that no plan names was asked for.
//   - A number gets one effective request, and one more for each time that carriers
//     failed it, a person took it off or the plan moved it. What is done is not asked for
//     again, but once for each loss of the bucket with the claims.
//   - A number is moved only if the same process has read its record directly before,
//     and that named a campaign under move_from.
//   - After a hold is stored no request comes in that was not on the wire, and none for
//     what the plan in force does not name. Time in which a process was frozen does not
//     count.
//   - The ledger never says that a number is not on the account, or that a campaign is
//     missing, if it is there; and in the end a number needs a person if it truly does.
//   - No request was sent for a campaign that was not provisioned, but for one
//     under way when that changed; and none by a process whose own latest reading
//     of the campaign said otherwise.
//   - What the webhook answered with 200 is in a stream, and was handled.
//
// # Running it
//
// A short run is part of the package's tests. GREENLIGHT_TORTURE=5m makes it go
// on for that long, on a new world each time, and for fifty kills at least;
// GREENLIGHT_TORTURE_SEED=n repeats a world, its faults and its blows. What the
// operating system does in between is not repeated, so that a seed makes a
// failure likely, not certain. GREENLIGHT_TORTURE_DIALECTS=name,name has every world in
// those dialects.
package torture
