// Package assigner attaches planned numbers to campaigns that carriers have
// approved.
//
// # How it works
//
// Something asks for a reconcile of a campaign: an event, the periodic resync, a
// recheck that an earlier reconcile scheduled, a person, a new plan. Nothing but the
// campaign's id is taken from it. Then:
//
//	request ──► observe ──► decide ──► apply ──► record
//	queue.go    observe.go  decide.go  apply.go  record.go
//
//	observe   reads the campaign, its numbers and their settings, and determines what
//	          is proven
//	decide    a pure function of the plan, what was observed, the ledger's record and
//	          the time: new record, write, next check
//	apply     for each write: wait for a slot and the rate limiter, check that
//	          everything is still true, claim the number in the ledger, send at once
//	record    writes the ledger, a notice if there is news, and the next recheck
//
// A reconcile may be interrupted anywhere and run again: it starts from what Telnyx and
// the ledger say, never from memory.
//
// # Invariants, and the one place that enforces each
//
//   - Only a campaign that reads MNO_PROVISIONED gets numbers: [PhaseOf], on a reading
//     that is at most a minute old (refresh in apply.go).
//   - A number on another campaign stays there: [plan.Diff] decides, and a PUT is sent
//     only if the number's own record, read after every wait, still shows it on a
//     campaign that the plan's move_from names (proven in apply.go).
//   - At most one effective write per number: the claim is written only over the revision
//     that was read, so one of two assigners fails. A claim whose outcome is unknown is
//     settled by reading, not by writing again (claims.endOf, which trusts only this
//     process's own clock).
//   - Hold means stop: mayWrite in apply.go reads the hold before every claim, from the
//     leader of its stream.
//   - No decision on one answer: [Decide] asks for a person only on evidence that cannot
//     be a misread query, and every number has a next try.
//   - Reconciles of one campaign never overlap in a process: queue.
//   - An event about a planned campaign is acknowledged after the ledger has the
//     outcome, or if an earlier one that is still open asks for the same reconcile.
//
// The package knows nothing about HTTP listeners and signatures.
package assigner
