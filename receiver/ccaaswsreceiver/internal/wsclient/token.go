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

// Tokens gets bearer tokens, and keeps one until it is about to expire or was
// refused. It may be shared by the sessions of one receiver, and by no others.
type Tokens struct {
	credentials Credentials
	client      *http.Client
	issued      func(Grant)

	mutex          sync.Mutex // held over a request, so that sessions ask once for all
	access         Access
	reportedScopes string // the scopes that were told of last
}

// Credentials are what a token is given for.
type Credentials struct {
	ClientID     string
	ClientSecret string
	// Username and Password are for the grant of that name; without them it is
	// that of client credentials.
	Username, Password string
	// TokenURL says where tokens are had. It may have to ask for it.
	TokenURL func(context.Context) (*url.URL, *Failure)
	Scopes   []string
	// Strict refuses tokens that were granted more than Scopes.
	Strict bool
}

// Access is a token, and what is known of it.
type Access struct {
	Token    string
	Identity string        // the ID token that came with it; may be empty
	Lifetime time.Duration // 0: unknown
	RenewAt  time.Time     // when a new one is to be had; zero: it does not expire
	Expires  time.Time
}

// Grant is told of when a token was issued.
type Grant struct {
	Expires      time.Time // zero: never
	ExcessScopes []string  // scopes that were granted and not asked for; once for each set of them
}

// NewTokens makes a source of tokens. Issued is told of each.
func NewTokens(credentials Credentials, client *http.Client, issued func(Grant)) *Tokens {
	reading := *client
	reading.Transport = &expiresInTransport{next: cmp.Or[http.RoundTripper](client.Transport, http.DefaultTransport)}
	return &Tokens{credentials: credentials, client: &reading, issued: issued}
}

// Fixed is an address that is known.
func StaticURL(at *url.URL) func(context.Context) (*url.URL, *Failure) {
	return func(context.Context) (*url.URL, *Failure) { return at, nil }
}

// get gives the token at hand, or a new one. Without a source it is empty.
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
	access := accessOf(token, now)
	grant := Grant{Expires: access.Expires, ExcessScopes: excessScopes(t.credentials.Scopes, token)}
	if t.credentials.Strict && len(grant.ExcessScopes) > 0 {
		return Access{}, permanent(OverScoped, fmt.Errorf("%s: the token was granted %s beyond oauth2.scopes, and oauth2.strict_scopes refuses it; "+
			"take these scopes from the OAuth client, or use a dedicated one", what, scopeNames(grant.ExcessScopes)))
	}
	t.access = access
	t.reportGrant(grant)
	return t.access, nil
}

// Get is for the calls that no socket needs.
func (t *Tokens) Get(ctx context.Context) (Access, *Failure) { return t.get(ctx) }

// ask asks for a token.
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
		AuthStyle: oauth2.AuthStyleInHeader, // what RFC 6749 obliges servers to take
	}
	return client.Token(ctx)
}

// tell tells of a token; of its wider scopes only when they are others than told
// before.
func (t *Tokens) reportGrant(grant Grant) {
	if told := strings.Join(grant.ExcessScopes, " "); told == t.reportedScopes {
		grant.ExcessScopes = nil
	} else {
		t.reportedScopes = told
	}
	if t.issued != nil {
		t.issued(grant)
	}
}

func accessOf(token *oauth2.Token, now time.Time) Access {
	access := Access{Token: token.AccessToken}
	access.Identity, _ = token.Extra("id_token").(string)
	if token.Expiry.After(now) { // otherwise its life is unknown: it is used until it is refused
		access.Expires = token.Expiry
		access.Lifetime = token.Expiry.Sub(now)
		before := margin(access.Lifetime)
		access.RenewAt = token.Expiry.Add(-before + time.Duration(rand.Float64()*float64(before)/4))
	}
	return access
}

// wider are the scopes that a token was granted and that were not asked for.
// Where the answer does not say, it was granted what was asked for (RFC 6749
// section 5.1).
func excessScopes(asked []string, token *oauth2.Token) []string {
	granted, _ := token.Extra("scope").(string)
	if len(asked) == 0 { // then it is the client's own scopes that were asked for
		return nil
	}
	var more []string
	for scope := range strings.FieldsSeq(granted) {
		if !slices.Contains(asked, scope) && !slices.Contains(more, scope) {
			more = append(more, scope)
		}
	}
	slices.Sort(more)
	return more
}

// scopeNames are scopes as they go into a message.
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

// reject forgets a token that the platform did not accept.
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

// margin is how long before the end of a life its successor is had: long enough
// for some attempts at a socket, unless the life is too short for that.
func margin(lifetime time.Duration) time.Duration {
	return min(time.Minute, lifetime/10)
}

// tokenFailure tells what went wrong without the body of the answer, which may
// hold a token, and which oauth2's own message quotes.
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
		return permanent(Unauthorized, fmt.Errorf("%s: %d %s, an OAuth error of the token endpoint; check oauth2.client_id, client_secret, scopes and token_url",
			what, status, http.StatusText(status)))
	}
	return statusFailure(what, retrieve.Response, true, now)
}

// knownErrorCode are the codes of RFC 6749, sections 5.2 and 4.1.2.1; anything else
// in their place is the server's text, and not repeated.
func knownErrorCode(code string) bool {
	return passingErrorCode(code) || slices.Contains([]string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
		"unsupported_grant_type", "invalid_scope", "access_denied",
	}, code)
}

// passingErrorCode are the codes of what may pass without an administrator.
func passingErrorCode(code string) bool {
	return code == "temporarily_unavailable" || code == "server_error"
}
