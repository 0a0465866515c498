// Package shout sends notices with shoutrrr to Slack, Teams, mail and two dozen more
// (https://shoutrrr.nickfedor.com/, read November 2026). It is a package of its own so
// that the webhook, which tells nobody, does not carry it.
package shout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"greenlight/internal/notice"
)

// title stands over a message where the receiver shows one.
const title = "Greenlight"

// ErrURL is matched by the error for an address that cannot be used.
var ErrURL = errors.New("is no address that notices can be sent to")

var plain = regexp.MustCompile(`^[a-z]{2,12}$`)

// Receiver is one address. Safe for concurrent use.
//
// An address has secrets in it, and so have the errors of what is sent there: they
// quote the address as it is, taken apart, or put together anew. So none of their words
// goes any further, and errors of this package say in words of our own what happened.
type Receiver struct {
	service types.Service
	// busy is taken while a message is being sent. Services take no context, so one that
	// hangs is left behind; until it returns, there is no other.
	busy chan struct{}
}

// New returns the receiver of an address such as slack://token@channel. The error
// matches [ErrURL].
func New(address string) (*Receiver, error) {
	var r router.ServiceRouter
	service, err := r.Locate(address)
	if errors.Is(err, router.ErrUnknownService) {
		scheme, _, _ := strings.Cut(address, "://")
		if !plain.MatchString(scheme) {
			scheme = "what it begins with" // it may be a secret that something else should stand before
		}
		return nil, fmt.Errorf("%w: nothing is known of %s", ErrURL, scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: what stands after its first colon is not as that service needs it", ErrURL)
	}
	return &Receiver{service: service, busy: make(chan struct{}, 1)}, nil
}

// Open is New for who knows only what a receiver does.
func Open(address string) (notice.Receiver, error) {
	receiver, err := New(address)
	if err != nil {
		return nil, err // not a nil *Receiver in an interface
	}
	return receiver, nil
}

// Service is what the address leads to, such as slack.
func (r *Receiver) Service() string { return r.service.GetID() }

// Send sends a text. It returns when ctx ends, whatever the service does.
func (r *Receiver) Send(ctx context.Context, text string) error {
	select {
	case r.busy <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: the message before this one is still being sent", r.Service())
	}
	sent := make(chan error, 1)
	go func() {
		defer func() { <-r.busy }()
		defer func() {
			if surprise := recover(); surprise != nil {
				sent <- errors.New("panic") // its words may tell the address
			}
		}()
		sent <- r.service.Send(text, &types.Params{types.TitleKey: title})
	}()
	select {
	case err := <-sent:
		if err != nil {
			return fmt.Errorf("%s: %s", r.Service(), because(err))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: no answer in time", r.Service())
	}
}

// status finds an HTTP status in what services say of one. Three digits are no secret.
var status = regexp.MustCompile(`(?i)status(?: code)?:? ([45][0-9]{2})\b`)

// because says in our own words what an error of a service is about.
func because(err error) string {
	if code, ok := errors.AsType[syscall.Errno](err); ok {
		return "it cannot be reached: " + code.Error()
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "it cannot be reached: its name leads nowhere"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not to be trusted"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "no answer in time"
	}
	if found := status.FindStringSubmatch(err.Error()); found != nil {
		return "it answered with status " + found[1]
	}
	return "it could not be reached, or refused the message"
}
