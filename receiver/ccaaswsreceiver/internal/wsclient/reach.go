// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

// Stage is a step on the way to a server.
type Stage int

// The stages, in order.
const (
	StageDNS Stage = iota
	StageTCP
	StageTLS
	StageHTTP
)

// Reached is what a request shows about a server.
type Reached struct {
	Stage     Stage     // the last that was begun
	Proxy     string    // without credentials; empty: none
	Addresses int       // found by DNS; 0: the host is an address, or the connection was already open
	Remote    string    // address that was connected to; empty: none
	Expires   time.Time // of the first certificate of the server's chain that expires; zero: no TLS

	// Date is the server's clock, in a resolution of a second; zero: not in the response.
	// Our clock was between Sent and Received.
	Date, Sent, Received time.Time
}

// Behind returns for how much our clock is behind the server's, negative where it is ahead,
// as far as the resolution of the response and its duration prove it; 0: they may agree.
func (r *Reached) Behind() time.Duration {
	switch {
	case r.Date.IsZero():
		return 0
	case r.Date.After(r.Received):
		return r.Date.Sub(r.Received)
	case r.Date.Add(time.Second).Before(r.Sent):
		return r.Date.Add(time.Second).Sub(r.Sent)
	default:
		return 0
	}
}

// Reach sends a request without credentials to the root of a server. Any response is a
// success. The result is of the stages that were reached, also with a failure.
func Reach(ctx context.Context, client *http.Client, at *url.URL) (Reached, *Failure) {
	var mutex sync.Mutex // a dial may outlive its request
	var reached Reached
	set := func(change func()) {
		mutex.Lock()
		defer mutex.Unlock()
		change()
	}
	snapshot := func() Reached {
		mutex.Lock()
		defer mutex.Unlock()
		return reached
	}
	root := &url.URL{Scheme: at.Scheme, Host: at.Host, Path: "/"}
	if proxy := proxyOf(client, root); proxy != nil {
		reached.Proxy = proxyName(proxy)
	}
	what := "HEAD " + address(root)
	trace := &httptrace.ClientTrace{
		DNSDone:           func(info httptrace.DNSDoneInfo) { set(func() { reached.Addresses = len(info.Addrs) }) },
		ConnectStart:      func(string, string) { set(func() { reached.Stage = StageTCP }) },
		TLSHandshakeStart: func() { set(func() { reached.Stage = StageTLS }) },
		TLSHandshakeDone: func(state tls.ConnectionState, _ error) {
			set(func() { reached.Expires = earliestExpiry(state) })
		},
		GotConn: func(info httptrace.GotConnInfo) {
			set(func() { reached.Stage, reached.Remote = StageHTTP, info.Conn.RemoteAddr().String() })
		},
		WroteRequest: func(httptrace.WroteRequestInfo) { set(func() { reached.Sent = time.Now() }) },
	}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodHead, root.String(), http.NoBody)
	if err != nil {
		return snapshot(), transportFailure(what, err)
	}
	request.Close = true // each server's handshake is seen
	response, err := client.Do(request)
	if err != nil {
		return snapshot(), transportFailure(what, err)
	}
	_ = response.Body.Close()
	result := snapshot()
	result.Received = time.Now()
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		result.Date = date
	}
	return result, nil
}

func earliestExpiry(state tls.ConnectionState) (first time.Time) {
	for _, certificate := range state.PeerCertificates {
		if first.IsZero() || certificate.NotAfter.Before(first) {
			first = certificate.NotAfter
		}
	}
	return first
}

// proxyOf returns the proxy of requests to an address; nil: none.
func proxyOf(client *http.Client, at *url.URL) *url.URL {
	transport := client.Transport
	if limited, ok := transport.(*RateLimitedTransport); ok {
		transport = limited.Next
	}
	direct, ok := transport.(*http.Transport)
	if !ok || direct.Proxy == nil {
		return nil
	}
	proxy, _ := direct.Proxy(&http.Request{URL: at}) // a request reports the error
	return proxy
}
