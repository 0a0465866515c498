// Package timeline shows the history of one number: its plan entry, Telnyx's events, what
// Greenlight read, decided and sent, and its current state. It reads the ledger and the
// stream of events. It writes nothing and does not call Telnyx.
//
// All times are those of the NATS server, which stores both records and events, so the order
// does not depend on other clocks.
//
// The history is bounded: it has the latest [ledger.HistoryOfNumber] changes of the number's
// record, its [ledger.Firsts], the latest changes of its campaign, and at most [MaxEvents]
// events of the last week.
package timeline
