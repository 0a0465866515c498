// Package timeline is the history of one number: its plan entry, Telnyx's events, what
// Greenlight read, decided and sent, and its current state. It reads the history in the
// ledger and the stream of events. It changes nothing and does not call Telnyx.
//
// All times are those of the NATS server, which stored records and events alike, so their
// order does not depend on other clocks.
//
// Available are the latest [ledger.HistoryOfNumber] changes of the number's record and the
// first change of each kind before ([ledger.Firsts]), as many changes of its campaign, and
// the events of the last week, of which the latest [MaxEvents] are shown.
package timeline
