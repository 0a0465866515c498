// Package clustertest runs the kubectl commands of the documentation, word for word, with
// the real kubectl against a real API server: etcd and kube-apiserver, in the test's
// process, on loopback. There are no controllers and no nodes, so no pod runs. It is a
// separate module, because Kubernetes needs hundreds of modules and a quarter of an hour to
// build. "make engines" runs it; "make check" does not.
package clustertest

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/apiserver/pkg/storage/etcd3/testserver"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/component-base/cli"
	"k8s.io/klog/v2"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app/testing"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl": kubectl})
}

// kubectl is its main.
func kubectl() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}

func TestScripts(t *testing.T) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	etcd := testserver.RunEtcd(t, nil)
	storage := storagebackend.NewDefaultConfig("/registry", nil)
	storage.Transport.ServerList = etcd.Endpoints()
	server := apiserver.StartTestServerOrDie(t, nil, nil, storage)
	t.Cleanup(server.TearDownFn)
	config := filepath.Join(t.TempDir(), "config")
	client := server.ClientConfig
	access := fmt.Sprintf(kubeconfig, client.Host, base64.StdEncoding.EncodeToString(client.CAData), client.ServerName, client.BearerToken)
	if err := os.WriteFile(config, []byte(access), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("script", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/script",
			RequireExplicitExec: true,
			Setup: func(env *testscript.Env) error {
				env.Setenv("HOME", env.WorkDir)
				env.Setenv("KUBECONFIG", config)
				env.Setenv("ROOT", root)
				return nil
			},
		})
	})
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test, namespace: greenlight}}]
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %s, tls-server-name: %q}}]
users: [{name: test, user: {token: %q}}]
`
