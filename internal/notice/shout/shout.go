// Package shout sends notices with shoutrrr to Slack, Teams, mail and a dozen more
// (https://shoutrrr.nickfedor.com/, read November 2026). It is a package of its own so
// that the webhook, which tells nobody, does not carry it.
package shout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/googlechat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/teams"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/zulip"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/pagerduty"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/gotify"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushover"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
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

// services are those that people who keep watch use. The others, and shoutrrr's own
// router, which brings them all, would take the assigner over its size.
var services = map[string]func() types.Service{
	"discord":    func() types.Service { return new(discord.Service) },
	"generic":    func() types.Service { return new(generic.Service) },
	"googlechat": func() types.Service { return new(googlechat.Service) },
	"gotify":     func() types.Service { return new(gotify.Service) },
	"matrix":     func() types.Service { return new(matrix.Service) },
	"mattermost": func() types.Service { return new(mattermost.Service) },
	"ntfy":       func() types.Service { return new(ntfy.Service) },
	"opsgenie":   func() types.Service { return new(opsgenie.Service) },
	"pagerduty":  func() types.Service { return new(pagerduty.Service) },
	"pushover":   func() types.Service { return new(pushover.Service) },
	"rocketchat": func() types.Service { return new(rocketchat.Service) },
	"slack":      func() types.Service { return new(slack.Service) },
	"smtp":       func() types.Service { return new(smtp.Service) },
	"teams":      func() types.Service { return new(teams.Service) },
	"telegram":   func() types.Service { return new(telegram.Service) },
	"zulip":      func() types.Service { return new(zulip.Service) },
}

// New returns the receiver of an address such as slack://token@channel. The error
// matches [ErrURL].
func New(address string) (*Receiver, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not written like one", ErrURL)
	}
	// In generic+https://… the rest is an address of the service's own.
	scheme, _, own := strings.Cut(parsed.Scheme, "+")
	open, known := services[scheme]
	if !known {
		if !plain.MatchString(scheme) {
			scheme = "what it begins with" // it may be a secret that something else should stand before
		}
		return nil, fmt.Errorf("%w: nothing is known of %s", ErrURL, scheme)
	}
	service := open()
	if own {
		custom, takes := service.(types.CustomURLService)
		if !takes {
			return nil, fmt.Errorf("%w: %s takes no web address of its own", ErrURL, scheme)
		}
		parsed, err = custom.GetConfigURLFromCustom(parsed)
	}
	if err == nil {
		err = service.Initialize(parsed, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: what stands after its first colon is not as %s needs it", ErrURL, scheme)
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
