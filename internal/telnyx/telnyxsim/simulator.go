package telnyxsim

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Simulator is a simulated Telnyx account. It is an [http.Handler] for the API under /v2,
// and it posts notifications. Start one
// with [New] and stop it with [Simulator.Close]. All methods are safe for concurrent use.
type Simulator struct {
	options Options
	key     ed25519.PrivateKey
	mux     *http.ServeMux
	work    *background
	client  *http.Client
	limiter limiter
	faults  faults

	// mu guards everything below. Operations of the API hold it while they run, so
	// the order of writes is the order in which they took effect.
	mu          sync.Mutex
	brands      []*brand
	campaigns   []*campaign
	numbers     []*number
	profiles    map[string]bool
	records     map[string]*record   // by phone number
	reattach    map[string]time.Time // by phone number: when the number may be attached again
	refusals    map[string][]string  // by phone number: reasons why its next assignments fail
	refusedMaps map[string][]Carrier // by phone number: carriers that refuse its mapping
	deliveries  []*Delivery
	dropping    bool
	duplicates  int
	writes      []Write
	calls       map[string]int
	sequence    int
}

// New starts a simulated Telnyx with an empty account.
func New(options Options) *Simulator {
	options = options.withDefaults()
	s := &Simulator{
		options:     options,
		key:         signingKey(options.SigningKey),
		work:        newBackground(),
		limiter:     limiter{limit: options.RateLimit},
		profiles:    map[string]bool{},
		records:     map[string]*record{},
		reattach:    map[string]time.Time{},
		refusals:    map[string][]string{},
		refusedMaps: map[string][]Carrier{},
		calls:       map[string]int{},
	}
	s.client = deliveryClient(options)
	s.mux = s.serveRoutes()
	return s
}

// Close stops all timers and deliveries, ends requests that hang because of a fault, and
// returns when all goroutines of the simulator have ended. The API still answers
// afterwards, but nothing changes with time. Calling it again does nothing.
func (s *Simulator) Close() {
	s.work.stop()
	s.client.CloseIdleConnections()
}

// PublicKey returns the key that verifies deliveries as the Mission Control
// Portal shows it: standard base64 of the 32 raw bytes.
func (s *Simulator) PublicKey() string {
	public, _ := s.key.Public().(ed25519.PublicKey)
	return base64.StdEncoding.EncodeToString(public)
}

// next returns the next number of the account's sequence, for ids and to order things
// that were created at the same time. The caller holds s.mu.
func (s *Simulator) next() int {
	s.sequence++
	return s.sequence
}

// find returns the first element that matches, or nil.
func find[T any](list []*T, matches func(*T) bool) *T {
	if i := slices.IndexFunc(list, matches); i >= 0 {
		return list[i]
	}
	return nil
}

// filter returns the elements that match.
func filter[T any](list []*T, matches func(*T) bool) (found []*T) {
	for _, element := range list {
		if matches(element) {
			found = append(found, element)
		}
	}
	return found
}

func signingKey(given ed25519.PrivateKey) ed25519.PrivateKey {
	if given == nil {
		_, made, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		return made
	}
	if len(given) != ed25519.PrivateKeySize {
		panic(fmt.Sprintf("telnyxsim: a signing key of %d bytes, want %d", len(given), ed25519.PrivateKeySize))
	}
	return given
}

// newID returns a random UUID, the form of Telnyx's ids of brands, events and deliveries.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// zoneless is how 10DLC records write times: microseconds and no zone.
const zoneless = "2006-01-02T15:04:05.000000"

// zoned is how 10DLC events write times.
const zoned = "2006-01-02T15:04:05.000-07:00"
