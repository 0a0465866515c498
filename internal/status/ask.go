package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// readyTimeout is longer than a readiness answer takes, see checkTimeout.
	readyTimeout = 3 * time.Second
	// maxAnswer bounds an answer, in bytes.
	maxAnswer = 1 << 20
)

// AskReady asks the private listener of a process on this machine whether it is ready. It
// returns nil if so, else an error that says what is wrong. Address is the process's
// ADMIN_LISTEN; if that is for every interface, for example ":8081", loopback is used. No
// token is needed, but without one an exposed process only names the failing checks. It is
// the health check of container images, which contain no other client.
func AskReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	// The guard accepts the host localhost, but perhaps not the address. No proxy is used.
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s whether it is ready: %w", address, errors.Unwrap(err))
	}
	defer response.Body.Close()
	var answer readiness
	err = json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("ask %s whether it is ready: no complete answer: %w", address, ctx.Err())
	}
	if err != nil || answer.Status == "" {
		return fmt.Errorf("ask %s whether it is ready: another program answers there (%s)", address, response.Status)
	}
	if response.StatusCode == http.StatusOK {
		return nil
	}
	var failing []string
	for _, name := range answer.Failing {
		failing = append(failing, name+": "+answer.Checks[name])
	}
	return errors.New(answer.Status + ": " + strings.Join(failing, "; "))
}
