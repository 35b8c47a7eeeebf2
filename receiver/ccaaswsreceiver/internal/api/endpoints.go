// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// tokenPath is the token endpoint of a platform, unless it is configured or discovered.
const tokenPath = "/oauth/token" //nolint:gosec // a path, not a credential

// Endpoints are the addresses of an API.
type Endpoints struct {
	API       *url.URL // root of the HTTP API; nil: there is none
	Socket    *url.URL // nil: the platform names it
	Preflight *url.URL // nil: no pre-flight request is sent
	Token     *url.URL // nil: no token is requested, or the platform names its endpoint
	URLFrom   *url.URL // of a custom platform: the request for the address of the socket

	// OpenChannels is the configured request for the channels that are open; nil: there is none.
	OpenChannels *url.URL

	login          *url.URL // root of the default token endpoint; nil: there is none
	discoversToken bool     // the platform names the token endpoint

	// Check rejects an address in a response of the platform that may not get credentials,
	// and normalizes its host.
	Check func(*url.URL) error
}

// endpoints returns the addresses of the configured endpoint, else of the region. Path is
// that of the socket where the endpoint has none.
func (p *Profile) endpoints(c *Config, path string) (*Endpoints, error) {
	at := &Endpoints{}
	if c.Endpoint != "" {
		socket, err := c.endpoint(path)
		if err != nil {
			return nil, fmt.Errorf("endpoint: %w", err)
		}
		at.API, at.login, at.Socket = httpRoot(socket), httpRoot(socket), socket
		return at, nil
	}
	switch regions := p.regions(); {
	case len(regions) == 0:
		return nil, fmt.Errorf("endpoint: missing; the hosts of platform %q are not known for api %q, so give the gateway's address, as in wss://events.example.com",
			p.Platform, p.API)
	case c.Region == "":
		return nil, fmt.Errorf("region: missing; give one of %s, or an endpoint", strings.Join(regions, ", "))
	}
	region, known := p.hosts(c.Region)
	if !known {
		return nil, fmt.Errorf("region: %q: platform %q has no such region; give one of %s, or an endpoint",
			c.Region, p.Platform, strings.Join(p.regions(), ", "))
	}
	at.API, at.login = &url.URL{Scheme: "https", Host: region.api}, &url.URL{Scheme: "https", Host: region.login}
	at.Socket = &url.URL{Scheme: "wss", Host: region.api, Path: path}
	return at, nil
}

// endpoint parses a host or a URL into the address of the socket.
func (c *Config) endpoint(path string) (*url.URL, error) {
	text := c.Endpoint
	if !strings.Contains(text, "://") {
		text = "wss://" + text
		if c.Insecure {
			text = "ws://" + c.Endpoint
		}
	}
	address, err := c.address(text)
	if err != nil {
		return nil, err
	}
	switch address.Scheme {
	case "https":
		address.Scheme = "wss"
	case "http":
		address.Scheme = "ws"
	}
	if address.Path == "" || address.Path == "/" {
		address.Path = path
	}
	return address, nil
}

// complete sets the token endpoint, and the hosts that may get credentials. A platform
// needs a client, unless it is on loopback.
func (at *Endpoints) complete(c *Config, p *Profile) (*Endpoints, error) {
	if c.OAuth2.ClientID == "" && c.OAuth2.ClientSecret == "" && (at.login == nil || !loopback(at.login.Hostname())) {
		return nil, fmt.Errorf("oauth2::client_id: missing; platform %q requires a token (a gateway that requires none: platform: custom)", p.Platform)
	}
	return at.completeWithoutClient(c, p)
}

func (at *Endpoints) completeWithoutClient(c *Config, p *Profile) (*Endpoints, error) {
	var err error
	if at.Token, err = c.tokenURL(at); err != nil {
		return nil, err
	}
	if text := c.Session.InitialState.URL; text != "" && at.API != nil {
		if at.OpenChannels, err = c.urlOn(at.API, text); err != nil {
			return nil, fmt.Errorf("session::initial_state::url: %w", err)
		}
	}
	at.Check = c.allowedHosts(p, at).check
	return at, nil
}

// tokenURL returns the token endpoint; nil: no token is requested, or the platform names
// the endpoint.
func (c *Config) tokenURL(at *Endpoints) (*url.URL, error) {
	switch {
	case c.OAuth2.ClientID == "" && c.OAuth2.ClientSecret != "":
		return nil, errors.New("oauth2::client_id: missing, while oauth2::client_secret is set")
	case c.OAuth2.ClientID == "":
		return nil, nil //nolint:nilnil // documented
	case c.OAuth2.ClientSecret == "":
		return nil, errors.New("oauth2::client_secret: missing, while oauth2::client_id is set")
	case c.OAuth2.TokenURL == "" && at.discoversToken:
		return nil, nil //nolint:nilnil // documented
	case c.OAuth2.TokenURL == "":
		return at.login.JoinPath(tokenPath), nil
	}
	address, err := c.address(c.OAuth2.TokenURL)
	if err != nil {
		return nil, fmt.Errorf("oauth2::token_url: %w", err)
	}
	return httpRoot(address).Parse(address.RequestURI())
}

// address parses a URL, without repeating one that may hold a secret.
func (c *Config) address(text string) (*url.URL, error) {
	if err := ValidateHost(text); err != nil {
		return nil, err
	}
	address, err := url.Parse(text)
	switch {
	case err != nil || address.Hostname() == "":
		return nil, errors.New("not an address; give a host, or a URL such as wss://events.example.com")
	case address.User != nil:
		return nil, errors.New("has a user name; credentials go into oauth2")
	case address.Fragment != "":
		return nil, fmt.Errorf("%.64q: has a fragment (#…), which means nothing here", address.Fragment)
	}
	switch host := address.Hostname(); {
	case loopback(host) && net.ParseIP(host) == nil:
		// One spelling that every resolver knows: a name server may know others.
		address.Host = "localhost" + strings.TrimPrefix(address.Host, host)
	case strings.HasSuffix(host, ".") && net.ParseIP(strings.TrimSuffix(host, ".")) != nil: // which would be looked up as a name
		address.Host = strings.TrimSuffix(host, ".") + strings.TrimPrefix(address.Host, host)
	}
	switch address.Scheme {
	case "wss", "https":
		return address, nil
	case "ws", "http":
		if loopback(address.Hostname()) || c.Insecure {
			return address, nil
		}
		return nil, fmt.Errorf("%s://%s: would send the token in the clear; use wss, or set tls::insecure: true", address.Scheme, address.Host)
	default:
		return nil, fmt.Errorf("%.32s://%s: must be wss, ws, https or http", address.Scheme, address.Host)
	}
}

// httpRoot returns the root of a host, for HTTP.
func httpRoot(address *url.URL) *url.URL {
	scheme := "https"
	if address.Scheme == "ws" || address.Scheme == "http" {
		scheme = "http"
	}
	return &url.URL{Scheme: scheme, Host: address.Host}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || ip != nil && ip.IsLoopback()
}

// placeholder matches hosts of examples that were not replaced.
var placeholder = regexp.MustCompile(`(?i)[<>{}\[\]$ ]|(^|[.-])your[-_]|^(change-?me|todo|xxx+)([.-]|$)`)

// maxHost is the length of the longest name of DNS, with a port.
const maxHost = 253 + len(":65535")

// ValidateHost reports what is wrong with the host and the port of a URL. It repeats
// nothing before them, which may be a password.
func ValidateHost(text string) error {
	_, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[strings.LastIndex(rest[:end], "@")+1 : end]
	if len(authority) > maxHost {
		return fmt.Errorf("%.64q…: a host has at most 253 characters", authority)
	}
	var host, port string
	switch bracketed, after, closed := strings.Cut(authority, "]"); {
	case closed && strings.HasPrefix(authority, "["):
		host, port = bracketed[1:], strings.TrimPrefix(after, ":")
		if !strings.Contains(host, ":") {
			return fmt.Errorf("%q: is a placeholder; put the real host there, as in wss://events.example.com", authority)
		}
	case strings.Count(authority, ":") > 1:
		return fmt.Errorf("%q: an IPv6 address needs brackets, as in wss://[2001:db8::1]:443", authority)
	default:
		host, port, _ = strings.Cut(authority, ":")
		if placeholder.MatchString(host) {
			return fmt.Errorf("%q: is a placeholder; put the real host there, as in wss://events.example.com", host)
		}
	}
	if number, err := strconv.ParseUint(port, 10, 64); port != "" && (err != nil || number < 1 || number > 65535) {
		return fmt.Errorf("port %q: must be 1 to 65535", port)
	}
	return nil
}
