package app

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// TLS is how the public listener proves who it is. Without any of it, the listener
// speaks plain HTTP, and something before it must speak TLS.
type TLS struct {
	Cert      string `name:"tls-cert" env:"TLS_CERT" placeholder:"FILE" help:"Certificate of the public listener in PEM form, with those between it and the authority's. Read again when it changes."`
	Key       string `name:"tls-key" env:"TLS_KEY" placeholder:"FILE" help:"The certificate's private key in PEM form."`
	Auto      string `name:"tls-auto" env:"TLS_AUTO" placeholder:"HOST[,HOST]" help:"Have Let's Encrypt issue certificates for these names, whose port 443 must lead to --listen, and accept its terms of service."`
	AutoDir   string `name:"tls-auto-directory" env:"TLS_AUTO_DIRECTORY" placeholder:"URL" help:"ACME directory of the authority that --tls-auto asks. Unset: Let's Encrypt's. For trials there is https://acme-staging-v02.api.letsencrypt.org/directory."`
	AutoCache string `name:"tls-auto-cache" env:"TLS_AUTO_CACHE" placeholder:"DIR" help:"Folder for certificates and keys of --tls-auto, for our eyes only. Unset: certificates in the data folder, if there is one."`
}

// Certificates returns where the listener's certificates come from, nil for plain
// HTTP. DataDir is the process's data folder, empty if it has none.
func (s TLS) Certificates(faults *Faults, dataDir string) *Certificates {
	switch {
	case s.Auto != "" && (s.Cert != "" || s.Key != ""):
		faults.add("TLS_AUTO", "and TLS_CERT or TLS_KEY are given together",
			"Leave out TLS_AUTO to use the files, or both files to have certificates issued.")
	case s.Cert != "" && s.Key == "":
		faults.add("TLS_KEY", "is missing, and TLS_CERT is given", "Name the file with the certificate's private key, or leave out both.")
	case s.Key != "" && s.Cert == "":
		faults.add("TLS_CERT", "is missing, and TLS_KEY is given", "Name the file with the certificate, or leave out both.")
	case s.Cert != "":
		return s.files(faults)
	case s.Auto != "":
		return s.auto(faults, dataDir)
	case s.AutoCache != "":
		faults.add("TLS_AUTO", "is missing, and TLS_AUTO_CACHE is given", "Name the hosts to get certificates for, or leave out both.")
	case s.AutoDir != "":
		faults.add("TLS_AUTO", "is missing, and TLS_AUTO_DIRECTORY is given", "Name the hosts to get certificates for, or leave out both.")
	}
	return nil
}

// stagingDirectory is Let's Encrypt's for trials
// (https://letsencrypt.org/docs/staging-environment/).
const stagingDirectory = "https://acme-staging-v02.api.letsencrypt.org/directory"

// folderOf is where an authority's certificates and account are kept. Each has its
// own: else those of a trial, which nobody trusts, would be shown in earnest later.
func folderOf(authority *url.URL) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(authority.Host+strings.TrimSuffix(authority.Path, "/")))
}

func (s TLS) files(faults *Faults) *Certificates {
	files, err := LoadCertificate(s.Cert, s.Key)
	if err != nil {
		faults.add("TLS_CERT", "and TLS_KEY cannot be used: "+err.Error(), "Name a certificate and its key, both in PEM form.")
		return nil
	}
	return files
}

// hosts reads the names one by one.
func (s TLS) hosts(faults *Faults) []string {
	var hosts []string
	for host := range strings.SplitSeq(s.Auto, ",") {
		host = strings.TrimSpace(host)
		if err := checkHost(host); err != nil {
			faults.add("TLS_AUTO", "cannot be used: "+err.Error(), "Write names like hooks.example.com, with commas between.")
			continue
		}
		hosts = append(hosts, host)
	}
	return hosts
}

func (s TLS) auto(faults *Faults, dataDir string) *Certificates {
	before := len(*faults)
	hosts, dir := s.hosts(faults), s.AutoCache
	if dir == "" && dataDir != "" {
		dir = filepath.Join(dataDir, "certificates")
	}
	if dir == "" {
		faults.add("TLS_AUTO_CACHE", "is missing, and TLS_AUTO is given",
			"Name a folder that outlasts restarts: who asks for new certificates at each start soon gets none.")
	}
	if s.AutoDir != "" {
		authority, err := url.Parse(s.AutoDir)
		if err != nil || authority.Scheme != "https" || authority.Host == "" {
			faults.add("TLS_AUTO_DIRECTORY", fmt.Sprintf("%q is no https address", s.AutoDir),
				"Write the address of an ACME directory, such as "+stagingDirectory+", or leave it out for Let's Encrypt's.")
		} else {
			dir = filepath.Join(dir, folderOf(authority))
		}
	}
	if len(*faults) > before {
		return nil
	}
	auto, err := NewIssued(hosts, dir, s.AutoDir, nil)
	if err != nil {
		faults.add("TLS_AUTO_CACHE", "cannot be used: "+err.Error(), "Name a folder of our own.")
		return nil
	}
	return auto
}
