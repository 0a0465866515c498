// Package timeline is the history of one number: what named it, what Telnyx said,
// what Greenlight read, decided and sent, and how far it is. It reads the ledger,
// whose history of a key is all that was ever written under it within a bound, and
// the stream of events; it changes nothing and asks Telnyx nothing.
//
// All times are those of the NATS server, which took records and events alike, so
// that they are in one order whatever the clocks of those who wrote.
//
// Kept are the latest [ledger.HistoryOfNumber] changes of the number's record and the
// firsts of what is older ([ledger.Firsts]); as many changes of its campaign; and the
// events of the last week, of which at most the latest [MostEvents] are shown.
package timeline
