package events

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestReadAck(t *testing.T) {
	for text, want := range map[string]ack{
		`{"stream":"EVENTS","seq":1}`:                          {Stream: "EVENTS", Sequence: 1},
		`{"stream":"EVENTS","seq":18446744073709551615}`:       {Stream: "EVENTS", Sequence: 18446744073709551615},
		`{"stream":"EVENTS", "seq":7}`:                         {Stream: "EVENTS", Sequence: 7},
		`{"stream":"EVENTS","seq":7,"duplicate": true}`:        {Stream: "EVENTS", Sequence: 7, Duplicate: true},
		`{"stream":"EVENTS","seq":7,"batch":"b","count":3}`:    {Stream: "EVENTS", Sequence: 7, Count: 3},
		`{"stream":"EVENTS","domain":"hub","seq":7}`:           {Stream: "EVENTS", Sequence: 7},
		`{"stream":"EVENTS2","seq":7}`:                         {Stream: "EVENTS2", Sequence: 7},
		`{"error":{"code":503,"err_code":10008},"stream":"S"}`: {Stream: "S", Error: &jetstream.APIError{Code: 503, ErrorCode: 10008}},
	} {
		if got, err := readAck([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "{", `{"stream":"EVENTS","seq":7`, `{"stream":"EVENTS","seq":}`, `{"stream":"EVENTS","seq":-7}`,
		`{"stream":"EVENTS","seq":18446744073709551616}`, `{"stream":"EVENTS","seq":7}}`, `{"stream":"EVENTS","seq":0x7}`} {
		if got, err := readAck([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", text, got)
		}
	}
}

// What a decoder makes of an acknowledgement is what we make of it.
func FuzzReadAck(f *testing.F) {
	f.Add([]byte(plainAck + "7}"))
	f.Add([]byte(plainAck + `7,"duplicate":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var want ack
		if json.Unmarshal(data, &want) != nil {
			return
		}
		if got, err := readAck(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v; want %+v", data, got, err, want)
		}
	})
}
