package app

import (
	"fmt"

	"github.com/alecthomas/kong"

	"greenlight/internal/status"
)

// Admin is the private listener.
type Admin struct {
	Listen    string `name:"admin-listen" env:"ADMIN_LISTEN" default:"${admin_listen}" placeholder:"ADDR" help:"Private address for /status, /healthz, /readyz and /metrics (${default}). Any other than a loopback address needs ADMIN_TOKEN."`
	Token     string `name:"admin-token" env:"ADMIN_TOKEN" placeholder:"TOKEN" help:"Token for /status and /metrics, 16 characters or more. Readers send it as a bearer token, or as the password of HTTP Basic with any user. Other users of the machine can see flags: prefer the environment or a file."`
	TokenFile string `name:"admin-token-file" env:"ADMIN_TOKEN_FILE" placeholder:"FILE" help:"File with the token."`
}

// adminListen is the default private address of a program. The assigner has another one
// than the webhook, so that both can run on one machine.
func adminListen(program string) string {
	if program == "assigner" {
		return "127.0.0.1:8082"
	}
	return "127.0.0.1:8081"
}

// minToken is how many characters a token must have to be safe from guessing.
const minToken = 16

const newToken = "Create one, for example with openssl rand -hex 16. Put it into the environment, or into a file named by ADMIN_TOKEN_FILE."

// Check notes an address that cannot be used, or that other machines can reach while there
// is no token. It returns the token, empty for none.
func (s Admin) Check(faults *Faults) status.Token {
	usable := checkAddress(faults, "ADMIN_LISTEN", s.Listen)
	if s.Token == "" && s.TokenFile == "" {
		if usable && !status.IsLoopback(s.Listen) {
			faults.add("ADMIN_TOKEN", fmt.Sprintf("is missing, and other machines can reach ADMIN_LISTEN %s", s.Listen),
				newToken+" To let only this machine read, leave out ADMIN_LISTEN.")
		}
		return ""
	}
	token := secret(faults, "ADMIN_TOKEN", s.Token, s.TokenFile, newToken)
	if token != "" && len(token) < minToken {
		faults.add("ADMIN_TOKEN", fmt.Sprintf("is shorter than %d characters", minToken), newToken)
	}
	return status.Token(token)
}

// HealthCheck is for the health check of a container that has no other program to ask
// with. It has no variable: one that made a service end at once would be a trap.
type HealthCheck struct {
	AskReady bool `name:"healthcheck" help:"Ask the process at ADMIN_LISTEN on this machine whether it is ready, and exit with 0 or 1. Starts nothing."`
}

// Version is the flag that prints the version.
type Version struct {
	Version kong.VersionFlag `name:"version" help:"Print the version and exit."`
}
