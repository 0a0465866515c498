// Package rehearsal plays the days of a plan against a simulated Telnyx before they
// come. It fills a simulated account with all that a plan names, spoils the road
// between the two as a bad day does, and afterwards says what went wrong:
//
//	Seed    the account: campaigns, numbers, messaging profiles, bystanders
//	Road    deliveries lost, sent twice and out of order
//	Faults  calls that are refused, broken, or whose answer is lost
//	Check   what was stolen, lost or written twice, by the simulator's own log
//
// It starts nothing and knows neither NATS nor terminals: who rehearses is the
// command's business. Check goes by what the simulated Telnyx did and by what the
// ledger says of it, never by what Greenlight means to have done.
package rehearsal
