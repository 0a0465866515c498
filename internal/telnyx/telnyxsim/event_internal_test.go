package telnyxsim

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"
	"time"
)

// The VERIFIED example of the event notifications page, whose key order, indent
// and hash are known, and the signature over it with the key pair that Telnyx's
// PHP SDK publishes in tests/Services/WebhooksTest.php.
func TestEnvelope_IsThePublishedExampleByteForByte(t *testing.T) {
	body := envelope{
		Data: eventData{
			EventType: EventCampaign, ID: "456abc67-7a9d-4ebf-86b9-3df81e862d49",
			OccurredAt: "2024-08-07T17:22:37.328+00:00", RecordType: "event",
			Payload: encode(verified{
				BrandID: "97091164-e814-435c-9c1b-14ab2d18e987", CampaignID: "751c6a5c-907b-43a9-8ada-ba1dc8335b07",
				CreatedDate: "2024-07-06T14:22:37.328+00:00", CSPID: "CSPID1", Type: "VERIFIED", TMobileRegistered: true,
			}, ""),
		},
		Meta: eventMeta{
			Attempt:     1,
			DeliveredTo: "https://mywebhooks.com/310fda1a-d415-4827-837b-5f7e72657b65",
		},
	}.body()

	const wantHash = "d8081d23873a6487e9ad5ef49dbfbb357c5670105a3a733d8d277af1f75939af"
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != wantHash {
		t.Errorf("sha256 of %d bytes = %x, want %s of 588:\n%s", len(body), sum, wantHash, body)
	}

	seed, err := base64.StdEncoding.DecodeString("p68GNpDl9oAQohBiK0MEOFIjxnoFnz0uGGeJqxQ5PSY=")
	if err != nil {
		t.Fatal(err)
	}
	sim := New(Options{SigningKey: ed25519.NewKeyFromSeed(seed)})
	defer sim.Close()
	if got, want := sim.PublicKey(), "+7E99DXiiQXvceNX4nHm3Lbm5mqPWad5RhDr2ufuCik="; got != want {
		t.Errorf("PublicKey = %s, want %s", got, want)
	}
	got := sim.SignedHeader(time.Unix(1723051357, 0), body).Get("telnyx-signature-ed25519")
	const want = "sHWj8S16bmQuZE/Nr7HtrPfpMS+GeUmGRIaLmbo20pDqhApDOYJTb7xbWXZpbySjhpfaAaw2SeXvBYMWAGNwBQ=="
	if got != want {
		t.Errorf("signature = %s, want %s", got, want)
	}
}

func TestOccurredAt_HasMillisecondsAndAnOffset(t *testing.T) {
	at := time.Date(2024, 8, 7, 17, 22, 37, 328_999_000, time.UTC)
	if got, want := at.Format(zoned), "2024-08-07T17:22:37.328+00:00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNew_PanicsOnAKeyOfAWrongSize(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New accepted a key of 3 bytes")
		}
	}()
	New(Options{SigningKey: ed25519.PrivateKey("abc")})
}
