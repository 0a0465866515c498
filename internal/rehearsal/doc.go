// Package rehearsal runs plans against a simulated Telnyx before the real day. It fills a
// simulated account from the plans, makes calls and deliveries fail, and checks the result:
//
//	Seed     fills the account: campaigns, numbers, messaging profiles
//	Network  loses, repeats and reorders deliveries
//	Inject   makes calls fail, or lose their answer
//	Check    finds what was stolen, lost or written twice, in the simulator's own log
//	Control  lets a person move campaigns manually
//
// It starts no process and knows neither NATS nor terminals. Check compares what the
// simulated Telnyx did with what the ledger says, never with Greenlight's intentions.
package rehearsal
