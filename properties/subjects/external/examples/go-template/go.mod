module huskproof.example/template

go 1.21
