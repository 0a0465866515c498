package embedded

import "testing"

// Other programs trust the server's name to know whether it syncs, so this compares it with
// the running server's setting, also after a restart.
func TestStart_SyncsAsItsNameSays(t *testing.T) {
	for name, always := range map[string]bool{nameSynced: true, nameUnsynced: false} {
		s, err := Start(Options{Dir: t.TempDir(), SyncAlways: always})
		if err != nil {
			t.Fatal(err)
		}
		assert := func() {
			t.Helper()
			ns := s.nats.Load()
			if ns.Name() != name || ns.JetStreamConfig().SyncAlways != always {
				t.Errorf("%s has sync_always %t, want %s with %t", ns.Name(), ns.JetStreamConfig().SyncAlways, name, always)
			}
		}
		assert()
		s.shutDown()
		if err := s.start(0); err != nil {
			t.Fatal(err)
		}
		assert()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
