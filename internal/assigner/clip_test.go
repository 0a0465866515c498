package assigner

import "testing"

func TestClip_KeepsRunesWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"APPROVED": "APPROVED",
		"a" + "éééééééééééééééééééééééé": "a" + "ééééééééééééééééééé",
	} {
		if got := clip(text); got != want {
			t.Errorf("clip(%q): got %q, want %q", text, got, want)
		}
	}
}
