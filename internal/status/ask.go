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
	// askPatience is over what a readiness answer takes, see checkTimeout.
	askPatience = 3 * time.Second
	// mostAnswer bounds an answer that is read.
	mostAnswer = 1 << 20
)

// AskReady asks the private listener of a process on this machine whether it is ready,
// and returns nil if it is, else an error that says what is wrong. Address is what that
// process listens on, as in ADMIN_LISTEN: one that is for every interface, such as
// ":8081", is asked over loopback. No token is needed; without one, a process that others
// can reach says which checks fail and not why. It is for a container's health
// check, in an image that has nothing but our own program to ask with.
func AskReady(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	// The name of the host must be one that the guard takes, the address may be none of
	// those; and no proxy lies between a machine and itself.
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
	var told readiness
	err = json.NewDecoder(io.LimitReader(response.Body, mostAnswer)).Decode(&told)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("ask %s whether it is ready: %w", address, ctx.Err())
	}
	if err != nil || told.Status == "" {
		return fmt.Errorf("ask %s whether it is ready: another program answers there (%s)", address, response.Status)
	}
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return errors.New(told.Status + ": " + told.wrong())
}

// wrong returns what the failing checks say.
func (r readiness) wrong() string {
	var says []string
	for _, name := range r.Failing {
		says = append(says, name+": "+r.Checks[name])
	}
	return strings.Join(says, "; ")
}
