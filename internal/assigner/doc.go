// Package assigner attaches planned numbers to campaigns that carriers have
// approved.
//
// # How it works
//
// Something wakes it: an event, the periodic resync, a recheck that it ordered
// itself, a person's nudge, a new plan. Whatever it was, only the campaign's id
// is taken from it. Then one pass over that campaign reads what is and does what
// is missing:
//
//	read the campaign ─► phase ─► not ready: write down why, and that is all
//	                       │
//	                       ▼ ready
//	read its numbers ─► plan.Diff ─► for each number to attach:
//	                                   wait for its turn and the pace
//	                                   see that plan, campaign and reading still hold
//	                                   claim it in the ledger
//	                                   POST, once
//	                                   write down what came of it
//	                                 order a recheck for what is unfinished
//
// A pass may be cut off anywhere and run again: it starts from what Telnyx and
// the ledger say, never from what it remembers.
//
// # Invariants, and the one place where each is made true
//
//   - Only a campaign that reads MNO_PROVISIONED gets numbers: [PhaseOf], on a
//     reading that is a minute old at most ([pass.attachOne]).
//   - A number that lives on another campaign stays there: plan.Diff decides, on
//     records read in the same pass ([survey]).
//   - At most one effective write a number: [pass.claim] writes the intent over
//     the very revision that the pass has read, so that of two assigners one
//     fails; an intent whose outcome is unknown is settled by reading, not by
//     writing again ([Assigner.settledAt], which trusts no clock but this process's
//     own); and an intent for another campaign is waited for
//     ([pass.unclaimedElsewhere]).
//   - Passes over one campaign never overlap in a process: [queue].
//   - A delivery is acknowledged after the ledger has what came of it, or because
//     an earlier one that is still open asks for the very same look: [ticket],
//     [queue].
//
// It knows nothing of HTTP listeners and of signatures.
package assigner
