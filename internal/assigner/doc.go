// Package assigner attaches planned numbers to campaigns that carriers have
// approved.
//
// # How it works
//
// Events, the periodic resync, rechecks that an earlier reconcile scheduled, people and new
// plans request reconciles. Only the campaign's id is used from the request. Then:
//
//	request ──► observe ──► decide ──► apply ──► record
//	queue.go    observe.go  decide.go  apply.go  record.go
//
//	observe   reads the campaign, its numbers and their settings, and determines what is
//	          proven
//	decide    a pure function of the plan, what was observed, the ledger's record and
//	          the time: new record, write, next check
//	apply     for each write: waits for a slot and the rate limiter, checks that the decision
//	          is still right, claims the number in the ledger, and sends at once
//	record    writes the ledger, a notice if there is news, and the next recheck
//
// A reconcile may be interrupted anywhere and run again: it starts from what Telnyx and the
// ledger say, never from memory.
//
// # Invariants, and the one place that enforces each
//
//   - Only an MNO_PROVISIONED campaign gets numbers: [PhaseOf], on a read that is at most a
//     minute old (refresh in apply.go).
//   - A number on another campaign stays there: [plan.Diff] decides, and a PUT is sent only if
//     the number's own record, read after every wait, still shows a campaign that the plan
//     lists under move_from (proven in apply.go).
//   - At most one effective write per number: a claim replaces only the revision that was
//     read, so one of two assigners fails. A claim with an unknown outcome is resolved by
//     reading, not by writing again (claims.endOf, which uses only this process's clock).
//   - Hold stops writes: mayWrite in apply.go reads the hold before every claim, from the
//     leader of its stream.
//   - No decision on one answer: [Decide] asks for a person only on evidence that a misread
//     query cannot produce, and every number has a next try.
//   - Reconciles of one campaign never overlap in a process: queue.
//   - An event about a planned campaign is acknowledged after the ledger has the outcome, or
//     if an earlier open event requests the same reconcile.
//
// The package knows nothing about HTTP listeners and signatures.
package assigner
