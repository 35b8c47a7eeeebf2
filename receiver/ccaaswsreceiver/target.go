// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/platform"
)

// target is where the platform is.
type target struct {
	api       *url.URL // root of its HTTP side; nil where there is none
	socket    *url.URL // nil: the platform says where
	preflight *url.URL // nil: there is none
	token     *url.URL // nil: no token is asked for, or the platform says where
	urlFrom   *url.URL // custom: what says where the socket is
}

// target works out the addresses from platform, region, endpoint and the rest.
func (c *Config) target(profile *platform.Profile) (*target, error) {
	at, login, err := c.hosts(profile)
	if err != nil {
		return nil, err
	}
	if err = c.steps(at); err != nil {
		return nil, err
	}
	if at.token, err = c.tokenURL(login); err != nil {
		return nil, err
	}
	return at, nil
}

// hosts gives the addresses of the API and the socket, and where tokens are had
// unless configured otherwise.
func (c *Config) hosts(profile *platform.Profile) (at *target, login *url.URL, err error) {
	switch {
	case c.Endpoint != "":
		socket, err := c.endpoint()
		if err != nil {
			return nil, nil, fmt.Errorf("endpoint: %w", err)
		}
		at, login = &target{api: httpSide(socket), socket: socket}, httpSide(socket)
		if c.API == platform.Notifications || c.Session.URLFrom.URL != "" {
			at.socket = nil
		}
		return at, login, nil
	case c.API == platform.EventHub:
		return &target{}, nil, nil
	case c.Session.URLFrom.URL != "":
		root, err := c.address(c.Session.URLFrom.URL)
		if err != nil {
			return nil, nil, fmt.Errorf("session.url_from.url: %w", err)
		}
		return &target{api: httpSide(root)}, httpSide(root), nil
	}
	regions := profile.Regions()
	switch {
	case len(regions) == 0:
		return nil, nil, fmt.Errorf("endpoint: missing; the hosts of platform %q are not known for api %q, so give the gateway's address, as in wss://events.example.com",
			profile.Name, c.API)
	case c.Region == "":
		return nil, nil, fmt.Errorf("region: missing; give one of %s, or an endpoint", strings.Join(regions, ", "))
	}
	hosts, known := profile.Hosts(c.Region)
	if !known {
		return nil, nil, fmt.Errorf("region: %q: platform %q has no such region; give one of %s, or an endpoint",
			c.Region, profile.Name, strings.Join(regions, ", "))
	}
	at = &target{api: &url.URL{Scheme: "https", Host: hosts.API}}
	if c.API == platform.RealtimeEvents {
		at.socket = &url.URL{Scheme: "wss", Host: hosts.API, Path: platform.StreamPath}
	}
	return at, &url.URL{Scheme: "https", Host: hosts.Login}, nil
}

// steps gives the addresses of the HTTP steps before the socket.
func (c *Config) steps(at *target) (err error) {
	switch {
	case c.Session.URLFrom.URL != "":
		if at.urlFrom, err = c.urlFrom(at.api); err != nil {
			return fmt.Errorf("session.url_from.url: %w", err)
		}
	case c.API == platform.EventHub && at.api == nil:
		if at.api, err = c.address(c.EventHub.DiscoveryURL); err != nil {
			return fmt.Errorf("event_hub.discovery_url: %w", err)
		}
		at.api = httpSide(at.api)
	case c.API == platform.RealtimeEvents && c.Preflight.Enabled:
		if at.preflight, err = at.api.Parse(c.Preflight.Path); err != nil {
			return fmt.Errorf("preflight.path: %w", err)
		}
		if at.preflight.Host != at.api.Host {
			return fmt.Errorf("preflight.path: %q: must be a path, not an address", c.Preflight.Path)
		}
	}
	return nil
}

// urlFrom is an address, or a path on the host of another.
func (c *Config) urlFrom(root *url.URL) (*url.URL, error) {
	given, err := url.Parse(c.Session.URLFrom.URL)
	if err != nil { // which repeats what may hold a secret
		return nil, errors.New("not an address, nor a path on the host of endpoint")
	}
	at, err := c.address(root.ResolveReference(given).String())
	if err != nil {
		return nil, err
	}
	at.Scheme = httpSide(at).Scheme
	return at, nil
}

// endpoint reads a host or a URL into the address of the socket. A path of its
// own replaces the contract's.
func (c *Config) endpoint() (*url.URL, error) {
	text := c.Endpoint
	if !strings.Contains(text, "://") {
		text = "wss://" + text
		if c.TLS.Insecure {
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
		address.Path = "/"
		if c.API == platform.RealtimeEvents {
			address.Path = platform.StreamPath
		}
	}
	return address, nil
}

// tokenURL is where tokens are had; nil where none are asked for.
func (c *Config) tokenURL(login *url.URL) (*url.URL, error) {
	switch {
	case c.OAuth2.ClientID == "" && c.OAuth2.ClientSecret != "":
		return nil, errors.New("oauth2.client_id: missing, while oauth2.client_secret is set")
	case c.OAuth2.ClientID == "" && c.Platform != platform.Custom && (login == nil || !loopback(login.Hostname())):
		return nil, fmt.Errorf("oauth2.client_id: missing; platform %q asks for a token (a gateway that asks for none: platform: custom)", c.Platform)
	case c.OAuth2.ClientID == "":
		return nil, nil
	case c.OAuth2.ClientSecret == "":
		return nil, errors.New("oauth2.client_secret: missing, while oauth2.client_id is set")
	case c.OAuth2.TokenURL == "" && c.API == platform.EventHub:
		return nil, nil
	case c.OAuth2.TokenURL == "":
		return login.JoinPath(platform.TokenPath), nil
	}
	address, err := c.address(c.OAuth2.TokenURL)
	if err != nil {
		return nil, fmt.Errorf("oauth2.token_url: %w", err)
	}
	return httpSide(address).Parse(address.RequestURI())
}

// address reads a URL, without repeating one that may hold a secret.
func (c *Config) address(text string) (*url.URL, error) {
	if err := validateHost(text); err != nil {
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
		if loopback(address.Hostname()) || c.TLS.Insecure {
			return address, nil
		}
		return nil, fmt.Errorf("%s://%s: would send the token in the clear; use wss, or say tls.insecure: true", address.Scheme, address.Host)
	default:
		return nil, fmt.Errorf("%.32s://%s: must be wss, ws, https or http", address.Scheme, address.Host)
	}
}

// proxy is how requests and sockets find their proxy.
func (c *Config) proxy() (func(*http.Request) (*url.URL, error), error) {
	if c.ProxyURL == "" {
		return http.ProxyFromEnvironment, nil
	}
	if err := validateHost(string(c.ProxyURL)); err != nil {
		return nil, fmt.Errorf("proxy_url: %w", err)
	}
	address, err := url.Parse(string(c.ProxyURL))
	if err != nil || address.Host == "" { // the text may hold a password: it is not repeated
		return nil, errors.New("proxy_url: not a URL; give one such as http://proxy.example.com:3128")
	}
	switch address.Scheme {
	case "http", "https", "socks5":
		return http.ProxyURL(address), nil
	default:
		return nil, fmt.Errorf("proxy_url: scheme %q: must be http, https or socks5", address.Scheme)
	}
}

// httpSide is the root of the host of a socket, for HTTP.
func httpSide(address *url.URL) *url.URL {
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

// placeholder finds hosts of examples that nobody has filled in.
var placeholder = regexp.MustCompile(`(?i)[<>{}\[\]$ ]|(^|[.-])your[-_]|^(change-?me|todo|xxx+)([.-]|$)`)

// maxHost is the length of the longest name of DNS, with a port.
const maxHost = 253 + len(":65535")

// validateHost reports what is wrong with the host and the port of a URL. It repeats
// nothing before them, which may be a password.
func validateHost(text string) error {
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
