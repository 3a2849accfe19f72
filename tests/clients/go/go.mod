module bartizan/clients

go 1.24

require (
	github.com/pkg/sftp v1.13.10
	golang.org/x/crypto v0.45.0
)
