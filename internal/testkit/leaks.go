package testkit

import "go.uber.org/goleak"

// ServerLeaks returns the goroutines to ignore if a NATS server ran in the test's process.
func ServerLeaks() []goleak.Option {
	const server = "github.com/nats-io/nats-server/v2/server."
	return []goleak.Option{
		// Kept for the whole process.
		goleak.IgnoreAnyFunction(server + "(*Account).lookupWorker"),
		goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		// Waits some seconds for an answer that a server which was shut down just
		// after its streams were made no longer gives.
		goleak.IgnoreAnyFunction(server + "(*stream).trySetupSourceConsumer.func3"),
		// Answers half a second later where a stream has no leader.
		goleak.IgnoreAnyFunction(server + "(*stream).processClusterStreamInfoRequest"),
		// The store of a batch that was not complete when the server was shut down.
		goleak.IgnoreAnyFunction(server + "(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreAnyFunction(server + "(*msgBlock).flushLoop"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	}
}
