// Package clustertest runs the kubectl and helm commands of the documentation, word for
// word, with the real programs against a real API server: etcd and kube-apiserver, in the
// test's process, on loopback. There are no controllers and no nodes, so no pod runs. It is
// a separate module, because Kubernetes needs hundreds of modules and a quarter of an hour
// to build. "make engines" runs it; "make check" does not.
package clustertest

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"k8s.io/apiserver/pkg/storage/etcd3/testserver"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/component-base/cli"
	"k8s.io/klog/v2"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app/testing"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl": kubectl, "helm": helm})
}

// helm is its main.
func helm() {
	command, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err != nil || command.Execute() != nil {
		os.Exit(1)
	}
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
	client := server.ClientConfig
	access := fmt.Sprintf(kubeconfig, client.Host, base64.StdEncoding.EncodeToString(client.CAData), client.ServerName, client.BearerToken)
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
				env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "kubeconfig"))
				env.Setenv("ROOT", root)
				return os.WriteFile(env.Getenv("KUBECONFIG"), []byte(access), 0o600)
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
