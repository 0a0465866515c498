package app

import (
	"fmt"

	"greenlight/internal/status"
)

// Admin is the private listener.
type Admin struct {
	Listen    string `name:"admin-listen" env:"ADMIN_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDR" help:"Private address for /status, /healthz, /readyz and /metrics (${default}). Any but a loopback address needs ADMIN_TOKEN."`
	Token     string `name:"admin-token" env:"ADMIN_TOKEN" placeholder:"TOKEN" help:"What readers of /status and /metrics must know, 16 characters or more: a bearer token, or the password of HTTP Basic with any user. A flag can be seen by other users of the machine: prefer the environment or a file."`
	TokenFile string `name:"admin-token-file" env:"ADMIN_TOKEN_FILE" placeholder:"FILE" help:"File that holds the token."`
}

// leastToken is how long a token must be to be safe from guessing.
const leastToken = 16

const howToken = "Make one, such as with openssl rand -hex 16, and put it into the environment or into a file that ADMIN_TOKEN_FILE names."

// Check notes an address that cannot be listened on, or that others can reach while
// there is no token, and returns the token, empty for none.
func (s Admin) Check(faults *Faults) status.Token {
	before := len(*faults)
	address(faults, "ADMIN_LISTEN", s.Listen)
	listenable := len(*faults) == before
	if s.Token == "" && s.TokenFile == "" {
		if listenable && !status.IsLoopback(s.Listen) {
			faults.add("ADMIN_TOKEN", fmt.Sprintf("is missing, and ADMIN_LISTEN %s can be reached from other machines", s.Listen),
				howToken+" Or leave ADMIN_LISTEN out: then only this machine can read.")
		}
		return ""
	}
	token := secret(faults, "ADMIN_TOKEN", s.Token, s.TokenFile, howToken)
	if token != "" && len(token) < leastToken {
		faults.add("ADMIN_TOKEN", fmt.Sprintf("is shorter than %d characters", leastToken), howToken)
	}
	return status.Token(token)
}

// HealthCheck is for the health check of a container that holds nothing else to ask with.
// It is no setting: a variable that made a service end at once would be a trap.
type HealthCheck struct {
	AskReady bool `name:"healthcheck" help:"Run nothing: ask the process that has ADMIN_LISTEN on this machine whether it is ready, and end with 0 or 1."`
}
