// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Tokens requests bearer tokens, and caches one until it is about to expire or was
// refused. It is shared by the sessions of one receiver only.
type Tokens struct {
	credentials Credentials
	client      *http.Client
	issued      func(Grant)

	mutex          sync.Mutex // held over a request: sessions share its result
	access         Access
	reportedScopes string // the excess scopes of the last report
}

// Credentials are those of an OAuth 2.0 client.
type Credentials struct {
	ClientID     string
	ClientSecret string
	// Username and Password select the password grant; without them it is client
	// credentials.
	Username, Password string
	// TokenURL returns the token endpoint. It may send a request for it.
	TokenURL func(context.Context) (*url.URL, *Failure)
	Scopes   []string
	// Accepted are scopes that a token may have besides Scopes.
	Accepted []string
	// Strict refuses tokens with more than Scopes and Accepted.
	Strict bool
}

// Access is a token and its properties.
type Access struct {
	Token    string
	Identity string    // the ID token of the same response; may be empty
	RenewAt  time.Time // when to request a new one; zero: it does not expire
}

// Grant is the report of a token that was issued.
type Grant struct {
	Expires      time.Time // zero: never
	ExcessScopes []string  // scopes that were granted, and neither requested nor accepted; once for each set of them
	// MissingScopes are scopes that were requested and not granted, as far as the response names scopes.
	MissingScopes []string
}

// NewTokens returns a source of tokens. It calls issued for each; nil: it does not.
func NewTokens(credentials Credentials, client *http.Client, issued func(Grant)) *Tokens {
	reading := *client
	reading.Transport = &expiresInTransport{next: cmp.Or[http.RoundTripper](client.Transport, http.DefaultTransport)}
	return &Tokens{credentials: credentials, client: &reading, issued: issued}
}

// StaticURL returns a function for a configured address.
func StaticURL(at *url.URL) func(context.Context) (*url.URL, *Failure) {
	return func(context.Context) (*url.URL, *Failure) { return at, nil }
}

// get returns the cached token, or a new one; an empty one without a source.
func (t *Tokens) get(ctx context.Context) (Access, *Failure) {
	if t == nil {
		return Access{}, nil
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.access.Token != "" && (t.access.RenewAt.IsZero() || time.Now().Before(t.access.RenewAt)) {
		return t.access, nil
	}
	t.access = Access{}
	at, failure := t.credentials.TokenURL(ctx)
	if failure != nil {
		return Access{}, failure
	}
	what := "token request to " + address(at)
	token, err := t.request(ctx, at)
	now := time.Now()
	if err != nil {
		return Access{}, tokenFailure(what, err, now)
	}
	access, expires := accessOf(token, now)
	grant := Grant{Expires: expires, ExcessScopes: excessScopes(&t.credentials, token), MissingScopes: missingScopes(t.credentials.Scopes, token)}
	if t.credentials.Strict && len(grant.ExcessScopes) > 0 {
		return Access{}, permanent(OverScoped, fmt.Errorf("%s: the token was granted %s beyond oauth2::scopes and extra_scopes, and oauth2::strict_scopes refuses it; "+
			"take these scopes from the OAuth client, or use a dedicated one", what, scopeNames(grant.ExcessScopes)))
	}
	t.access = access
	t.reportGrant(grant)
	return t.access, nil
}

// Get returns the token for requests that are not of a socket.
func (t *Tokens) Get(ctx context.Context) (Access, *Failure) { return t.get(ctx) }

// request requests a token.
func (t *Tokens) request(ctx context.Context, at *url.URL) (*oauth2.Token, error) {
	c := &t.credentials
	ctx = context.WithValue(ctx, oauth2.HTTPClient, t.client)
	if c.Username != "" {
		password := oauth2.Config{
			ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes,
			Endpoint: oauth2.Endpoint{TokenURL: at.String(), AuthStyle: oauth2.AuthStyleInHeader},
		}
		return password.PasswordCredentialsToken(ctx, c.Username, c.Password)
	}
	client := clientcredentials.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: c.Scopes,
		TokenURL:  at.String(),
		AuthStyle: oauth2.AuthStyleInHeader, // servers must support it (RFC 6749)
	}
	return client.Token(ctx)
}

// reportGrant reports a token; its excess scopes only when they have changed.
func (t *Tokens) reportGrant(grant Grant) {
	if scopes := strings.Join(grant.ExcessScopes, " "); scopes == t.reportedScopes {
		grant.ExcessScopes = nil
	} else {
		t.reportedScopes = scopes
	}
	if t.issued != nil {
		t.issued(grant)
	}
}

// accessOf returns a token and its expiry; zero where it is unknown, and the token is
// used until it is refused.
func accessOf(token *oauth2.Token, now time.Time) (access Access, expires time.Time) {
	access = Access{Token: token.AccessToken}
	access.Identity, _ = token.Extra("id_token").(string)
	if !token.Expiry.After(now) {
		return access, time.Time{}
	}
	before := margin(token.Expiry.Sub(now))
	access.RenewAt = token.Expiry.Add(-before + time.Duration(rand.Float64()*float64(before)/4))
	return access, token.Expiry
}

// excessScopes returns the scopes that a token was granted beyond those requested and
// accepted. A response without scopes grants those requested (RFC 6749 section 5.1).
func excessScopes(c *Credentials, token *oauth2.Token) []string {
	if len(c.Scopes) == 0 { // then the client's own scopes were requested
		return nil
	}
	return beyond(grantedScopes(token), slices.Concat(c.Scopes, c.Accepted))
}

// missingScopes returns the scopes that were requested and not granted; none where the
// response names no scopes.
func missingScopes(requested []string, token *oauth2.Token) []string {
	granted := grantedScopes(token)
	if len(granted) == 0 {
		return nil
	}
	return beyond(requested, granted)
}

func grantedScopes(token *oauth2.Token) []string {
	granted, _ := token.Extra("scope").(string)
	return strings.Fields(granted)
}

// beyond returns the scopes that are not in another list, sorted, each once.
func beyond(scopes, others []string) []string {
	more := slices.DeleteFunc(slices.Sorted(slices.Values(scopes)), func(scope string) bool { return slices.Contains(others, scope) })
	return slices.Compact(more)
}

// scopeNames formats scopes for a message.
func scopeNames(scopes []string) string {
	const most = 20
	var names []string
	for _, scope := range scopes[:min(most, len(scopes))] {
		names = append(names, fmt.Sprintf("%.64q", scope))
	}
	text := strings.Join(names, ", ")
	if len(scopes) > most {
		text += fmt.Sprintf(" and %d more", len(scopes)-most)
	}
	return text
}

// Reject discards a token that a request was refused with.
func (t *Tokens) Reject(accessToken string) { t.reject(accessToken) }

// reject discards a token that the platform did not accept.
func (t *Tokens) reject(accessToken string) {
	if t == nil {
		return
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.access.Token == accessToken {
		t.access = Access{}
	}
}

// margin is how long before the end of a lifetime the successor is requested: long
// enough for some attempts at a socket, unless the lifetime is too short for that.
func margin(lifetime time.Duration) time.Duration {
	return min(time.Minute, lifetime/10)
}

// tokenFailure returns the failure of a token request without the body of the response,
// which may hold a token, and which oauth2's own message quotes.
func tokenFailure(what string, err error, now time.Time) *Failure {
	retrieve := (*oauth2.RetrieveError)(nil)
	if !errors.As(err, &retrieve) {
		if inURL := (*url.Error)(nil); errors.As(err, &inURL) {
			return transportFailure(what, err)
		}
		return retryable(BadAnswer, fmt.Errorf("%s: the answer is no token of RFC 6749", what))
	}
	if retrieve.Response == nil {
		return retryable(BadAnswer, fmt.Errorf("%s: the answer is no token of RFC 6749", what))
	}
	if knownErrorCode(retrieve.ErrorCode) {
		what += ": " + retrieve.ErrorCode
	}
	switch status := retrieve.Response.StatusCode; {
	case passingErrorCode(retrieve.ErrorCode):
		return retryable(Unavailable, fmt.Errorf("%s: %d %s, an OAuth error of the token endpoint", what, status, http.StatusText(status)))
	case status == http.StatusBadRequest || status < http.StatusMultipleChoices && retrieve.ErrorCode != "":
		return permanent(Unauthorized, fmt.Errorf("%s: %d %s, an OAuth error of the token endpoint; check oauth2::client_id, client_secret, scopes and token_url",
			what, status, http.StatusText(status)))
	}
	return statusFailure(what, retrieve.Response, true, now)
}

// knownErrorCode reports whether a code is of RFC 6749, sections 5.2 and 4.1.2.1. Any
// other is the server's text, and not repeated.
func knownErrorCode(code string) bool {
	return passingErrorCode(code) || slices.Contains([]string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
		"unsupported_grant_type", "invalid_scope", "access_denied",
	}, code)
}

// passingErrorCode reports whether an error may pass without an administrator.
func passingErrorCode(code string) bool {
	return code == "temporarily_unavailable" || code == "server_error"
}
