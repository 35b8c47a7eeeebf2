// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Tokens gets bearer tokens by OAuth2 client credentials, and keeps one until it
// is about to expire or was refused. It may be shared by sessions.
type Tokens struct {
	config  clientcredentials.Config
	client  *http.Client
	address string // of the token endpoint, as it may be shown

	mutex   sync.Mutex // held over a request, so that sessions ask once for all
	token   *oauth2.Token
	renewAt time.Time // zero: it does not expire
}

// Credentials are what a token is given for.
type Credentials struct {
	ClientID     string
	ClientSecret string
	TokenURL     *url.URL
	Scopes       []string
}

// NewTokens makes a source of tokens.
func NewTokens(credentials Credentials, client *http.Client) *Tokens {
	return &Tokens{
		config: clientcredentials.Config{
			ClientID:     credentials.ClientID,
			ClientSecret: credentials.ClientSecret,
			TokenURL:     credentials.TokenURL.String(),
			Scopes:       credentials.Scopes,
			AuthStyle:    oauth2.AuthStyleInHeader, // what RFC 6749 obliges servers to take
		},
		client:  client,
		address: address(credentials.TokenURL),
	}
}

// get gives the token at hand, or a new one. Without a source it is empty.
func (t *Tokens) get(ctx context.Context) (string, *Failure) {
	if t == nil {
		return "", nil
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	now := time.Now()
	if t.token != nil && (t.renewAt.IsZero() || now.Before(t.renewAt)) {
		return t.token.AccessToken, nil
	}
	t.token = nil
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err != nil {
		return "", tokenFailure("token request to "+t.address, err, now)
	}
	t.token, t.renewAt = token, time.Time{}
	if !token.Expiry.IsZero() {
		t.renewAt = token.Expiry.Add(-renewBefore(token.Expiry.Sub(now)))
	}
	return token.AccessToken, nil
}

// reject forgets a token that the platform did not accept.
func (t *Tokens) reject(accessToken string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.token != nil && t.token.AccessToken == accessToken {
		t.token = nil
	}
}

// renewBefore is how long before its expiry a token is no longer used: long
// enough for an attempt at a socket, unless it lives too short for that.
func renewBefore(lifetime time.Duration) time.Duration {
	return min(time.Minute, lifetime/10)
}

// tokenFailure tells what went wrong without the body of the answer, which may
// hold a token, and which oauth2's own message quotes.
func tokenFailure(what string, err error, now time.Time) *Failure {
	retrieve := (*oauth2.RetrieveError)(nil)
	if !errors.As(err, &retrieve) {
		if inURL := (*url.Error)(nil); errors.As(err, &inURL) {
			return unanswered(what, err)
		}
		return temporary(BadAnswer, fmt.Errorf("%s: the answer is no token of RFC 6749", what))
	}
	if retrieve.Response == nil {
		return temporary(BadAnswer, fmt.Errorf("%s: the answer is no token of RFC 6749", what))
	}
	if knownErrorCode(retrieve.ErrorCode) {
		what += ": " + retrieve.ErrorCode
	}
	if retrieve.Response.StatusCode == http.StatusBadRequest {
		return lasting(Unauthorized, fmt.Errorf("%s: 400 Bad Request; check oauth2.client_id, client_secret, scopes and token_url", what))
	}
	return answered(what, retrieve.Response, now)
}

// knownErrorCode are the codes of RFC 6749 section 5.2; anything else in their
// place is the server's text, and not repeated.
func knownErrorCode(code string) bool {
	return slices.Contains([]string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
		"unsupported_grant_type", "invalid_scope",
	}, code)
}
