package plan

import (
	"encoding/json"
	"testing"
)

func TestAction_SignIsOneCharacterEach(t *testing.T) {
	for action, want := range map[Action]string{Attach: "+", Move: ">", Done: "=", Wait: "~", WaitToMove: "~", WaitToAttach: "~", Conflict: "!", Extra: "?", "new": " "} {
		if got := action.Sign(); got != want {
			t.Errorf("%s: got %q, want %q", action, got, want)
		}
	}
}

func TestChange_IsNumberAndActionInJSON(t *testing.T) {
	got, err := json.Marshal(Changes{{Number: "+15551234567", Action: WaitToAttach}})
	if want := `[{"number":"+15551234567","action":"wait_to_attach"}]`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
