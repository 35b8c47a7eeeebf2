// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpguard restricts who a local HTTP endpoint serves: requests for a known
// host name, and none that a page of another site makes in a browser.
package httpguard

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/config/confignet"
)

// OnLoopback reports whether only this machine reaches the address.
func OnLoopback(address confignet.AddrConfig) bool {
	if strings.HasPrefix(string(address.Transport), "unix") {
		return true
	}
	host, _, err := net.SplitHostPort(address.Endpoint)
	return err == nil && IsLoopback(host)
}

// IsLoopback reports whether a host is a name or an address of the loopback interface.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Hosts are the names under which an endpoint is requested. A request for another name
// comes from a page whose name was made to resolve to this machine (DNS rebinding).
type Hosts struct {
	// Loopback is whether the endpoint is on loopback: its names are known then.
	Loopback bool
	// Allowed are further names. Off loopback any name is allowed where this is empty.
	Allowed []string
}

// Allow reports whether the request's Host header names this endpoint.
func (h Hosts) Allow(r *http.Request) bool {
	if !h.Loopback && len(h.Allowed) == 0 {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return IsLoopback(host) || slices.ContainsFunc(h.Allowed, func(allowed string) bool {
		return strings.EqualFold(allowed, host)
	})
}

// CrossSite reports whether a browser says that a page of another site makes the request.
func CrossSite(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Site") == "cross-site" }

// Handler serves an API that no browser page of another origin uses: 421 for an unknown
// host, 403 for a request of another site or origin.
func Handler(hosts Hosts, next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writing := *r // reading is refused as well, which the check permits
		writing.Method = http.MethodPost
		switch {
		case !hosts.Allow(r):
			http.Error(w, "this host name is not known here; see allowed_hosts", http.StatusMisdirectedRequest)
		case protection.Check(&writing) != nil:
			http.Error(w, "a page of another site or origin has no access to the API", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
