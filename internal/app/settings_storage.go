package app

// Replication is how often streams and ledger are kept. It is for what makes them.
type Replication struct {
	Replicas string `name:"replicas" env:"REPLICAS" default:"1" placeholder:"N" help:"Copies of streams and ledger: 1 for one server, 3 for a cluster (${default})."`
}

// Copies returns the number of replicas.
func (s Replication) Copies(faults *Faults) int { return count(faults, "REPLICAS", s.Replicas, 1, 5) }

// Data is where greenlight up keeps its NATS server's files.
type Data struct {
	Dir string `name:"data" env:"DATA" default:"./data" placeholder:"DIR" help:"Folder for the built-in NATS server's files (${default})."`
}
