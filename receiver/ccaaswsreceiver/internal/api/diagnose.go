// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	// hostTimeout bounds the request to a host.
	hostTimeout = 10 * time.Second
	// expiresSoon is the remaining time of a certificate that is reported.
	expiresSoon = 14 * 24 * time.Hour
	// clockTolerance is how far our clock may be from the platform's, beyond the resolution
	// of the comparison.
	clockTolerance = time.Second
)

// Diagnosis is a check of how a platform is reached, which changes nothing there.
type Diagnosis struct {
	Config *Config
	At     *Endpoints
	Client *http.Client
	Report *diagnosis.Report

	access  wsclient.Access
	reached map[string]bool // by host: whether it has responded
}

// Diagnose checks the hosts of an API, the token, and what the API adds.
func Diagnose(ctx context.Context, of API, d *Diagnosis, env *Environment) {
	d.reached = map[string]bool{}
	for _, at := range []*url.URL{d.At.API, d.At.Token, d.At.URLFrom, d.At.Socket} {
		if at != nil {
			d.reach(ctx, at)
		}
	}
	grants := &[]wsclient.Grant{}
	env.Client, env.Granted = d.Client, func(grant wsclient.Grant) { *grants = append(*grants, grant) }
	up, err := of.Connect(d.Config, d.At, env)
	if err != nil {
		d.Report.Failed("configuration", "%v", err)
		return
	}
	if d.token(ctx, up.Tokens, grants) {
		of.Diagnose(ctx, d, up)
	}
}

// reach checks a host once: DNS, TCP, TLS and the clock.
func (d *Diagnosis) reach(ctx context.Context, at *url.URL) {
	root := httpRoot(at)
	if _, known := d.reached[root.Host]; known {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	reached, failure := wsclient.Reach(ctx, d.Client, root)
	d.reached[root.Host] = failure == nil
	host := root.Host
	if reached.Proxy != "" {
		host += " through the proxy " + reached.Proxy
	}
	if failure != nil {
		d.unreachable(host, &reached, failure)
		return
	}
	switch {
	case reached.Addresses > 0:
		d.Report.OK("dns", "%s: %d addresses", host, reached.Addresses)
	default:
		d.Report.OK("dns", "%s: no look-up is needed", host)
	}
	d.Report.OK("tcp", "%s: connected to %s", host, reached.Remote)
	d.certificate(root, reached.Expires, time.Now())
	d.clock(host, &reached)
}

// unreachable reports the first stage that failed.
func (d *Diagnosis) unreachable(host string, reached *wsclient.Reached, failure *wsclient.Failure) {
	checks := map[wsclient.Stage]string{wsclient.StageDNS: "dns", wsclient.StageTCP: "tcp", wsclient.StageTLS: "tls", wsclient.StageHTTP: "http"}
	advice := map[wsclient.Stage]string{
		wsclient.StageDNS:  "check region or endpoint, and the name servers of this machine",
		wsclient.StageTCP:  "check host and port, and that a firewall lets this machine through; behind a proxy, set proxy_url",
		wsclient.StageHTTP: "what answers there does not speak HTTP: check endpoint",
	}
	for stage := wsclient.StageDNS; stage < reached.Stage; stage++ {
		d.Report.OK(checks[stage], "%s", host)
	}
	text := failure.Error()
	if more := advice[reached.Stage]; more != "" && reached.Proxy == "" {
		text += "; " + more
	}
	d.Report.Failed(checks[reached.Stage], "%s", text)
}

func (d *Diagnosis) certificate(root *url.URL, expires, now time.Time) {
	left := expires.Sub(now)
	switch {
	case root.Scheme == "http":
		d.Report.OK("tls", "%s: plain text", root.Host)
	case expires.IsZero():
		d.Report.Skipped("tls", "%s: the certificate is not known", root.Host)
	case left < expiresSoon:
		d.Report.Failed("tls", "%s: the certificate expires at %s, in %s: it has to be renewed where the platform, or a proxy that opens TLS, is run",
			root.Host, expires.UTC().Format(time.RFC3339), left.Round(time.Minute))
	default:
		d.Report.OK("tls", "%s: the certificate is valid until %s", root.Host, expires.UTC().Format(time.DateOnly))
	}
}

// clock compares our clock with the platform's.
func (d *Diagnosis) clock(host string, reached *wsclient.Reached) {
	behind := reached.Behind()
	switch {
	case reached.Date.IsZero():
		d.Report.Skipped("clock", "%s: the response has no Date", host)
	case behind > clockTolerance:
		d.Report.Failed("clock", "%s: our clock is %s or more behind the platform's: synchronize the clock of this machine (NTP)", host, behind.Round(time.Second))
	case behind < -clockTolerance:
		d.Report.Failed("clock", "%s: our clock is %s or more ahead of the platform's: synchronize the clock of this machine (NTP)", host, (-behind).Round(time.Second))
	default:
		d.Report.OK("clock", "%s: agrees with ours within the second that Date resolves", host)
	}
}

// token requests a token. It returns whether there is one, or none is needed.
func (d *Diagnosis) token(ctx context.Context, tokens *wsclient.Tokens, grants *[]wsclient.Grant) bool {
	if tokens == nil {
		d.Report.OK("token", "none is configured")
		return true
	}
	if at := d.At.Token; at != nil && !d.reached[httpRoot(at).Host] {
		d.Report.Skipped("token", "%s is not reached", at.Host)
		return false
	}
	access, failure := tokens.Get(ctx)
	switch {
	case failure != nil && failure.Cause == wsclient.OverScoped:
		d.Report.OK("token", "issued")
		d.Report.Failed("scopes", "%v", failure)
		return false
	case failure != nil:
		d.Report.Failed("token", "%v", failure)
		return false
	}
	d.access = access
	var grant wsclient.Grant
	if len(*grants) > 0 {
		grant = (*grants)[0]
	}
	lifetime := "it does not expire"
	if !grant.Expires.IsZero() {
		lifetime = "for " + time.Until(grant.Expires).Round(time.Second).String()
	}
	d.Report.OK("token", "issued, %s", lifetime)
	d.scopes(&grant)
	return true
}

func (d *Diagnosis) scopes(grant *wsclient.Grant) {
	requested := d.Config.OAuth2.Scopes
	switch {
	case len(requested) == 0:
		d.Report.OK("scopes", "none is requested; the client's roles decide")
	case len(grant.ExcessScopes) > 0:
		d.Report.Failed("scopes", "the token has more than oauth2::scopes and extra_scopes: %s; take them from the OAuth client, or use a dedicated one",
			strings.Join(wsclient.TruncateList(grant.ExcessScopes), ", "))
	case len(grant.MissingScopes) > 0:
		d.Report.Failed("scopes", "the token lacks %s of oauth2::scopes; grant them to the OAuth client", strings.Join(wsclient.TruncateList(grant.MissingScopes), ", "))
	default:
		d.Report.OK("scopes", "%s", strings.Join(requested, ", "))
	}
}

// preflight sends the pre-flight request of a socket.
func (d *Diagnosis) preflight(ctx context.Context, up *Upstream) {
	if d.At.Preflight == nil {
		d.Report.Skipped("preflight", "preflight::enabled is false")
		return
	}
	if !d.reached[d.At.Preflight.Host] {
		d.Report.Skipped("preflight", "%s is not reached", d.At.Preflight.Host)
		return
	}
	route, failure := up.Prepare(0)(ctx, d.access, false)
	if failure != nil {
		d.Report.Failed("preflight", "%v", failure)
		return
	}
	d.Report.OK("preflight", "the platform supports %s", cmp.Or(route.Subprotocol, "any subprotocol that is configured"))
}

// address requests the address of the socket, and checks its host.
func (d *Diagnosis) address(ctx context.Context, up *Upstream) {
	route, failure := up.Prepare(0)(ctx, d.access, false)
	if failure != nil {
		d.Report.Failed("address", "%v", failure)
		return
	}
	d.Report.OK("address", "the socket is at %s://%s", route.Socket.Scheme, route.Socket.Host)
	d.reach(ctx, route.Socket)
}
